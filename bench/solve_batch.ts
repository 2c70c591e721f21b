/** How long does an LP take in a large batch, against every other method? Inputs on the GPU, answers read back; on the CPU one core. */
import { topologies } from "../src/index.ts";
import { affineGroup, affineLane } from "./baselines/affine_kernels.ts";
import type { FormName } from "./baselines/affine_scaling.ts";
import { edgeBalance } from "./baselines/edge_balance.ts";
import { interiorPointTwin, yalps } from "./baselines/general.ts";
import { edgeBalanceSimd, thresholdSimd } from "./baselines/simd_rivals.ts";
import { thresholdSearch } from "./baselines/threshold.ts";
import type { Bench } from "./harness.ts";
import { simdAlone } from "./kernels_alone.ts";
import type { Method } from "./method.ts";
import { evenkeelKernels, evenkeelSolve, evenkeelSolveExact } from "./ours.ts";
import { factor, type Row } from "./row.ts";
import { graphWorkload, modelWorkload, type Workload } from "./workloads.ts";

const QUESTION = "solve-batch";
const WORKGROUPS = { few: [16, 32], all: [16, 32, 64, 128] };
/** LPs that the one-per-workgroup form is given in a quick run on a software adapter: seconds a call otherwise. */
const MOST_IN_GROUPS = 32;

export async function solveBatch(bench: Bench): Promise<void> {
  await against(bench, graphWorkload("cube 8x2", topologies.cube8(), 8, 1024), "edge");
  await against(bench, graphWorkload("hypercube 16x2", topologies.hypercube16(), 16, 1024), "edge");
  const layers = bench.quick ? 4 : 16; // each layer has a pipeline of its own to wait for
  await against(bench, modelWorkload("EP8 R16", { gpus: 8, experts: 64, redundant: 16, layers }, 256), "replica");
  await against(bench, modelWorkload("EP16 R32", { gpus: 16, experts: 128, redundant: 32, layers }, 256), "replica");
}

async function against(bench: Bench, work: Workload, form: FormName): Promise<void> {
  const { device, host } = bench;
  const kernels = [...evenkeelKernels(bench), simdAlone];
  const ours = await bench.compare(QUESTION, work, kernels);
  const cpu = [
    evenkeelSolve("cpu", {}),
    evenkeelSolveExact,
    interiorPointTwin,
    yalps,
    ...(host.highs ? [host.highs] : []),
  ];
  const lanes = [
    affineLane(device, form),
    edgeBalance(device),
    thresholdSearch(device),
    edgeBalanceSimd,
    thresholdSimd,
  ];
  const theirs = [await bestGroup(bench, work, form), ...(await bench.compare(QUESTION, work, [...lanes, ...cpu]))];
  for (const own of ours) {
    for (const row of theirs)
      bench.note(`${work.name}: ${row.solver} takes ${factor(row, own)} the time of ${own.solver}`);
  }
}

/** Affine scaling in its own form, in the workgroup size that suits this adapter: the others' rows are dropped. */
async function bestGroup(bench: Bench, work: Workload, form: FormName): Promise<Row> {
  const slow = bench.quick && bench.software;
  const methods = WORKGROUPS[slow ? "few" : "all"].map(
    (size): Method => ({ ...affineGroup(bench.device, form, size), most: slow ? MOST_IN_GROUPS : undefined }),
  );
  const rows = await bench.compare(QUESTION, work, methods);
  const best = rows.reduce((a, b) => (b.usPerLp < a.usPerLp ? b : a));
  bench.drop(rows.filter((row) => row !== best));
  return best;
}
