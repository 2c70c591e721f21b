/** Measures methods on workloads and collects rows. */
import { isSoftware } from "../src/gpu/adapters.ts";
import type { Host } from "./host.ts";
import { judge, type Method, type Prepared, type Quality } from "./method.ts";
import type { Row } from "./row.ts";
import { type Effort, efforts, type Timed, type Timing, timeInTurn } from "./timing.ts";
import { Waker } from "./wake.ts";
import { firstOf, type Workload } from "./workloads.ts";

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
    readonly host: Host = {},
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
