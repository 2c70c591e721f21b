/** Affine scaling as GPU methods: one LP per workgroup, its own form, and one LP per lane. */
import { type CompiledKernel, compile, type Kernel } from "../../src/gpu/pipeline.ts";
import { runningKernel } from "../gpu_job.ts";
import type { Method, Prepared } from "../method.ts";
import type { Workload } from "../workloads.ts";
import groupWgsl from "./affine_group.wgsl";
import laneWgsl from "./affine_lane.wgsl";
import {
  BIG_M,
  type FormName,
  rightHandSide,
  STEP,
  STEPS,
  type StandardForm,
  standardForm,
  tokensFrom,
} from "./affine_scaling.ts";

const bindings = { form: "read-only-storage", b: "read-only-storage", x: "storage", params: "uniform" } as const;
const groupKernel = { name: "affine_group", wgsl: groupWgsl, includes: [], bindings } satisfies Kernel;
const laneKernel = { name: "affine_lane", wgsl: laneWgsl, includes: [], bindings } satisfies Kernel;

const owners: Record<FormName, string> = { edge: "LPLB", replica: "SGLang lp" };
const LANES = 32;

/** One LP per workgroup of `workgroup` invocations. */
export function affineGroup(device: GPUDevice, form: FormName, workgroup: number): Method {
  return affineMethod(device, `${owners[form]}, workgroup of ${workgroup}`, form, groupKernel, workgroup, 1);
}

/** One LP per lane. */
export function affineLane(device: GPUDevice, form: FormName): Method {
  return affineMethod(device, `${owners[form]}, lane`, form, laneKernel, LANES, LANES);
}

function affineMethod(
  device: GPUDevice,
  name: string,
  formName: FormName,
  kernel: Kernel,
  workgroup: number,
  perWorkgroup: number,
): Method {
  async function prepare(work: Workload): Promise<Prepared> {
    const forms = work.layers.map(({ topology }) => standardForm(topology, formName));
    const maxRows = Math.max(...forms.map(({ rows }) => rows));
    const maxColumns = Math.max(...forms.map(({ columns }) => columns)) + 1;
    const shape = { MAX_ROWS: maxRows, MAX_COLUMNS: maxColumns, MAX_PACKED: (maxRows * (maxRows + 1)) / 2, STEPS };
    const compiled: CompiledKernel = await compile(device, kernel, shape, { WG: workgroup, BIG_M, STEP });

    const records = forms.map((form) => (kernel === laneKernel ? sparseRecord(form, maxColumns) : denseRecord(form)));
    const stride = Math.max(...records.map(({ length }) => length));
    const packed = new (kernel === laneKernel ? Uint32Array : Float32Array)(stride * records.length);
    for (const [i, record] of records.entries()) packed.set(record, i * stride);
    const b = new Float32Array(work.batch * maxRows);
    for (let lp = 0; lp < work.batch; lp++) {
      b.set(rightHandSide(work, lp, forms[lp % forms.length], formName), lp * maxRows);
    }
    const contents = {
      form: packed,
      b,
      x: work.batch * maxColumns * 4,
      params: Uint32Array.of(work.batch, forms.length, stride, 0),
    };
    const running = runningKernel(device, compiled, contents, ["x"], Math.ceil(work.batch / perWorkgroup));
    return {
      ...running,
      answer() {
        const words = running.words("x");
        const x = new Float32Array(words.buffer, words.byteOffset, words.length);
        return (lp) =>
          tokensFrom(work, lp, forms[lp % forms.length], x.subarray(lp * maxColumns, (lp + 1) * maxColumns));
      },
    };
  }
  return { name, tokens: "fractional", exact: false, prepare };
}

function denseRecord({ rows, columns, start, row, sign }: StandardForm): Float32Array {
  const record = new Float32Array(2 + rows * columns);
  record.set([rows, columns]);
  for (let j = 0; j < columns; j++) {
    for (let k = start[j]; k < start[j + 1]; k++) record[2 + row[k] * columns + j] = sign[k];
  }
  return record;
}

function sparseRecord({ rows, columns, start, row, sign }: StandardForm, maxColumns: number): Uint32Array {
  const record = new Uint32Array(2 + maxColumns + row.length);
  record.set([rows, columns]);
  record.set(start, 2);
  record.set(
    row.map((i, k) => 2 * i + (sign[k] < 0 ? 1 : 0)),
    2 + maxColumns,
  );
  return record;
}
