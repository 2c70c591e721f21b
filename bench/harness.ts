/** Measures methods on workloads and collects rows. */
import { isSoftware } from "../src/gpu/adapters.ts";
import { judge, type Method, type Prepared, type Quality } from "./method.ts";
import { Waker } from "./wake.ts";
import { firstOf, type Workload } from "./workloads.ts";

/** One figure of the report. Times are wall times of whole calls: encode, submit, and the answer read back; of `balancer-stages`, GPU times. */
export interface Row {
  question: string;
  solver: string;
  topology: string;
  gpus: number;
  /** E; edges in the edge form. */
  experts: number;
  /** P, slots; two per edge in the edge form. */
  replicas: number;
  batch: number;
  medianUs: number;
  p05Us: number;
  p95Us: number;
  usPerLp: number;
  /** max load / optimum - 1 over the batch; null where nothing is solved. */
  gapMean: number | null;
  gapMax: number | null;
  optimalShare: number | null;
  /** Median GPU time of a call, where the device has timestamps. */
  timestampUs?: number;
  /** Of `placement-scale`, whose batch is layers. */
  placed?: Placed;
  /** Of `depth`. */
  counted?: CountedWork;
}

/** What placements are worth on steps held out, and what was done for them. */
export interface Placed {
  /** What the loads are like. */
  loads: string;
  /** Mean over steps and layers of max load / mean load. */
  imbalance: number;
  p95: number;
  /** The rest is of a search. Moves tried. */
  moves?: number;
  stoppedBy?: "search" | "budget";
  threads?: number;
  /** Why it was not tried on more threads. */
  why?: string;
}

/** What the solve of an LP is made of: means over the batch, and the most of any LP. */
export interface CountedWork {
  operations: number;
  mostOperations: number;
  divisions: number;
  /** Of the longest chain of operations that wait for each other. */
  depth: number;
  mostDepth: number;
  /** Operations over depth. */
  parallelism: number;
  /** Of the WGSL. */
  statements: number;
  /** Of the exported CUDA kernel, by architecture, where there is a compiler. */
  cuda?: Record<string, CudaUse>;
}

/** Of a thread. */
export interface CudaUse {
  registers: number;
  stackBytes: number;
  spillStoreBytes: number;
  spillLoadBytes: number;
}

/** How long a measurement may take. */
export interface Effort {
  samples: number;
  /** No further sample is begun after this much time, once there are `leastSamples`. */
  budgetMs: number;
  leastSamples: number;
}

export const efforts = {
  quick: { samples: 25, budgetMs: 500, leastSamples: 3 },
  full: { samples: 50, budgetMs: 5_000, leastSamples: 5 },
} as const satisfies Record<string, Effort>;

export interface Timing {
  medianUs: number;
  p05Us: number;
  p95Us: number;
  timestampUs?: number;
}

const WARM_UPS = 5;
/** Short calls need more than a few: the engine compiles what it sees often. */
const WARM_UP_MS = 100;

export type Timed = Pick<Prepared, "run" | "gpuUs" | "onGpu" | "clock">;

/** Warms up, then times each call alone. The caller has checked the output of a first call already. */
export async function time(prepared: Timed, effort: Effort): Promise<Timing> {
  return (await timeInTurn([prepared], effort))[0];
}

/** The same of several, whose calls take turns: what else the machine does is in the times of all. */
async function timeInTurn(all: readonly Timed[], effort: Effort): Promise<Timing[]> {
  for (const prepared of all) await warmUp(prepared, effort);
  const samples = all.map(() => ({ us: [] as number[], gpuUs: [] as number[] }));
  const begun = performance.now();
  for (
    let taken = 0;
    taken < effort.samples && (taken < effort.leastSamples || performance.now() - begun < all.length * effort.budgetMs);
    taken++
  ) {
    for (const [i, prepared] of all.entries()) {
      const { clock = () => performance.now() } = prepared;
      const called = clock();
      await prepared.run();
      samples[i].us.push((clock() - called) * 1e3);
      if (prepared.gpuUs) samples[i].gpuUs.push(prepared.gpuUs());
    }
  }
  return samples.map(({ us, gpuUs }) => {
    const at = quantiles(us);
    const timing = { medianUs: at(0.5), p05Us: at(0.05), p95Us: at(0.95) };
    return gpuUs.length > 0 ? { ...timing, timestampUs: quantiles(gpuUs)(0.5) } : timing;
  });
}

export async function warmUp(prepared: Timed, effort: Effort): Promise<void> {
  const start = performance.now();
  const spent = () => performance.now() - start;
  for (let i = 0; (i < WARM_UPS || spent() < WARM_UP_MS) && spent() < effort.budgetMs / 2; i++) await prepared.run();
}

export function quantiles(values: readonly number[]): (q: number) => number {
  const sorted = [...values].sort((a, b) => a - b);
  return (q) => sorted[Math.round(q * (sorted.length - 1))];
}

/** The report in the making. */
export class Bench {
  readonly rows: Row[] = [];
  /** What rows say together, in words. */
  readonly notes: string[] = [];
  private readonly waker: Waker;

  constructor(
    readonly device: GPUDevice,
    readonly quick: boolean,
    readonly onProgress: (text: string) => void = () => {},
  ) {
    this.waker = new Waker(device);
  }

  get effort(): Effort {
    return this.quick ? efforts.quick : efforts.full;
  }

  /** Whether the GPU is a program on the CPU's cores. */
  get software(): boolean {
    return isSoftware(this.device.adapterInfo);
  }

  /** Measures each method on the same LPs: checks its answers before it is timed. */
  async compare(question: string, work: Workload, methods: readonly Method[]): Promise<Row[]> {
    const rows: Row[] = [];
    for (const method of methods) rows.push(...(await this.compareInTurn(question, work, [method])));
    return rows;
  }

  /**
   * The same, where the calls of methods take turns with each other and with those of baselines, which answer nothing.
   *
   * @param baselines  by name; destroyed by the caller.
   * @returns a row for each baseline, then one for each method.
   */
  async compareInTurn(
    question: string,
    work: Workload,
    methods: readonly Method[],
    baselines: Readonly<Record<string, Timed>> = {},
  ): Promise<Row[]> {
    const prepared: Prepared[] = [];
    const found: { name: string; own: Workload; quality: Quality }[] = [];
    try {
      for (const method of methods) {
        this.onProgress(`${question}: ${work.name}, batch ${work.batch}, ${method.name}`);
        const own = method.most === undefined ? work : firstOf(work, method.most);
        const one = await method.prepare(own);
        prepared.push(one);
        await one.run();
        const quality = judge(own, method.tokens, one.answer());
        requireExact(method, own, quality);
        found.push({ name: method.name, own, quality });
      }
      const all = [...Object.values(baselines), ...prepared];
      const onGpu = all.some(({ gpuUs, onGpu }) => gpuUs !== undefined || onGpu === true);
      if (onGpu) await this.wake();
      const timings = await timeInTurn(all, this.effort);
      if (onGpu) this.waker.wasBusy();
      const bare = Object.keys(baselines).map((name) => this.row(question, name, work, timings.shift()!));
      return [
        ...bare,
        ...found.map(({ name, own, quality }) => this.row(question, name, own, timings.shift()!, quality)),
      ];
    } finally {
      for (const one of prepared) one.destroy();
    }
  }

  /** Before a GPU is timed: unless it just was, it may be at a fraction of its clock. */
  async wake(): Promise<void> {
    if (!this.software) await this.waker.wake();
  }

  /** Adds a row. */
  row(
    question: string,
    solver: string,
    work: Pick<Workload, "name" | "layers" | "batch">,
    timing: Timing,
    quality?: Quality,
  ): Row {
    const { gpus, experts, slots } = work.layers[0].topology;
    const { gapMean, gapMax, optimalShare } = quality ?? { gapMean: null, gapMax: null, optimalShare: null };
    const { timestampUs, ...wall } = timing;
    const row: Row = {
      question,
      solver,
      topology: work.name,
      gpus,
      experts,
      replicas: slots,
      batch: work.batch,
      ...wall,
      usPerLp: wall.medianUs / work.batch,
      gapMean,
      gapMax,
      optimalShare,
      ...(timestampUs === undefined ? {} : { timestampUs }),
    };
    this.rows.push(row);
    return row;
  }

  /** Takes rows back: variants of a method of which only the best is reported. */
  drop(rows: readonly Row[]): void {
    for (const row of rows) this.rows.splice(this.rows.indexOf(row), 1);
  }

  note(text: string): void {
    this.notes.push(text);
  }
}

function requireExact({ name, exact }: Method, work: Workload, { gapMax, optimalShare }: Quality): void {
  if (!exact || optimalShare === 1) return;
  const share = (100 * optimalShare).toFixed(2);
  throw new Error(`${name} on ${work.name}: ${share} % of ${work.batch} LPs are optimal, worst gap ${gapMax}.`);
}

/** "4.2 x", how many times as long `slow` takes per LP as `fast`. */
export function factor(slow: Row, fast: Row): string {
  return `${(slow.usPerLp / fast.usPerLp).toPrecision(3)} x`;
}
