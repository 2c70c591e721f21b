/** Random LPs through one kernel. `certify` judges each answer, and the kernel's raw answer is looked at before any net is under it. */
import {
  createSolver,
  type EdgeLoads,
  type EdgeSolution,
  type ReplicaLoads,
  type ReplicaSolution,
  type Solver,
} from "evenkeel";
import { seeded } from "../../../src/common/random.ts";
import { families, type Instance, instances } from "../../../test/helpers/instances.ts";
import { certifyInstance } from "../../../test/helpers/solve.ts";
import { empty, submitAndRead, upload } from "./gpu.ts";

export const kernels = ["lane", "group", "specialised", "simd"] as const;

export interface KernelReport {
  lps: number;
  /** Optimal, says `certify`. */
  certified: number;
  /** LPs with base loads, with unequal speeds. */
  based: number;
  unequal: number;
  /** At unequal speeds alone the kernel may leave an LP with a gap, or be off by a token that rounded speeds hide: the CPU finishes these. */
  unequalLeft: number;
}

const names = ["ring 8", "cube", "EP8 R8", "EP8, 4 replicas", "disconnected"];
const LPS_PER_FAMILY = 5;
const OPTIMAL = 0; // the status word of a proof
/** Of the LPs at unequal speeds: three times the share that the README tells of. */
const MOST_LEFT = 0.015;

type AnySolver = Solver<ReplicaLoads | EdgeLoads, ReplicaSolution | EdgeSolution>;

/** 5 topologies x 2 kinds of speeds x 10 families of loads x 5 LPs. */
export async function solveAll(device: GPUDevice, kernel: (typeof kernels)[number], fail: (what: string) => void) {
  const report: KernelReport = { lps: 0, certified: 0, based: 0, unequal: 0, unequalLeft: 0 };
  for (const unequal of [false, true]) {
    for (const name of names) {
      const failHere = (what: string) => fail(`${name}, ${unequal ? "un" : ""}equal speeds: ${what}`);
      const parts = [...instances([name], Object.keys(families), 311, LPS_PER_FAMILY, unequal)];
      const batch = together(parts);
      const solver = await solverFor(batch, kernel, device);
      await solver.ready;
      if (solver.plan.kernel !== kernel) failHere(`${solver.plan.kernel} solves. ${solver.plan.reason}`);

      const solution = await solver.solve(batch.problem);
      const verdicts = certifyInstance(batch, solution).map(({ verdict }) => verdict);
      const proven = verdicts.filter((verdict) => verdict === "optimal").length;
      if (verdicts.length !== batch.batch || proven !== batch.batch) {
        failHere(`${proven} of ${batch.batch} LPs certified, ${verdicts.length} judged`);
      }
      const left = kernel === "simd" ? solution.finishedOnCpu : await notOptimal(device, solver, batch, solution);
      if (!unequal && left > 0)
        failHere(`the kernel itself left ${left} LPs, and ${solution.finishedOnCpu} were finished`);
      for (const what of await oneByOne(solver, parts, solution)) failHere(what);
      solver.destroy();

      report.lps += batch.batch;
      report.certified += proven;
      report.based += basedLps(batch);
      if (!unequal) continue;
      report.unequal += batch.batch;
      report.unequalLeft += left;
    }
  }
  if (report.unequalLeft > MOST_LEFT * report.unequal) fail(`${report.unequalLeft} LPs left at unequal speeds`);
  return report;
}

async function solverFor(
  { form, problem }: Instance,
  kernel: (typeof kernels)[number],
  device: GPUDevice,
): Promise<AnySolver> {
  const { speed } = problem;
  const options =
    kernel === "simd"
      ? ({ backend: "cpu", kernel, speed } as const)
      : ({ backend: "webgpu", kernel, speed, device } as const);
  return (
    form === "edge" ? await createSolver(problem, options) : await createSolver(problem.placement, options)
  ) as AnySolver;
}

/** All instances of a topology as one batch; in the replica form with base loads of any sign where they leave room for themselves. */
function together(parts: Instance[]): Instance {
  const [first] = parts;
  const batch = parts.reduce((sum, part) => sum + part.batch, 0);
  if (first.form === "edge") {
    const problems = parts.map(({ problem }) => problem as typeof first.problem);
    const load = problems.flatMap((problem) => Array.from(problem.load));
    const capacity = problems.flatMap((problem) => Array.from(problem.capacity));
    return { ...first, batch, problem: { ...first.problem, load, capacity } };
  }
  const random = seeded(312);
  const { gpus } = first.problem.placement;
  const problems = parts.map(({ problem }) => problem as typeof first.problem);
  for (const problem of problems) {
    const largest = Math.max(...Array.from(problem.expertLoad));
    const most = largest < 2 ** 24 && random.next() < 0.6 ? 4096 : 0;
    problem.baseLoad = Array.from(
      { length: LPS_PER_FAMILY * gpus },
      () => random.below(most + 1) - Math.floor(most / 4),
    );
  }
  const expertLoad = problems.flatMap((problem) => Array.from(problem.expertLoad));
  const baseLoad = problems.flatMap((problem) => Array.from(problem.baseLoad!));
  return { ...first, batch, problem: { ...first.problem, expertLoad, baseLoad } };
}

/** The batch as the kernel reads it, and the GPU of each slot that it writes. */
function flat({ form, problem }: Instance) {
  if (form === "replica") {
    const { placement, expertLoad, baseLoad } = problem;
    return { expertLoad: Int32Array.from(expertLoad), baseLoad: Int32Array.from(baseLoad!), gpuOf: placement.gpuOf };
  }
  const { gpus, edges, load, capacity } = problem;
  const baseLoad = Int32Array.from(load);
  for (let i = 0; i < capacity.length; i++) {
    baseLoad[Math.floor(i / edges.length) * gpus + edges[i % edges.length][0]] -= capacity[i];
  }
  return { expertLoad: Int32Array.from(capacity), baseLoad, gpuOf: Int32Array.from(edges.flat()) };
}

/** Encodes the batch, and counts the LPs that the kernel's own status or quotas do not show to be as good as what `certify` proved. */
async function notOptimal(
  device: GPUDevice,
  solver: AnySolver,
  instance: Instance,
  { maxLoad, gpuLoad }: ReplicaSolution | EdgeSolution,
): Promise<number> {
  const { batch, problem } = instance;
  const { expertLoad, baseLoad, gpuOf } = flat(instance);
  const gpus = gpuLoad.length / batch;
  const words = 3 + Math.ceil(gpus / 32);
  const inputs = { expertLoad: upload(device, expertLoad), baseLoad: upload(device, baseLoad) };
  const outputs = { quota: empty(device, batch * gpuOf.length), proof: empty(device, batch * words) };
  const [quota, proof] = await submitAndRead(
    device,
    (encoder) => solver.encode(encoder, { batch, ...inputs, ...outputs }),
    [outputs.quota, outputs.proof],
  );
  for (const buffer of [...Object.values(inputs), ...Object.values(outputs)]) buffer.destroy();
  let left = 0;
  for (let lp = 0; lp < batch; lp++) {
    const held = Array.from(baseLoad.subarray(lp * gpus, (lp + 1) * gpus));
    gpuOf.forEach((g, slot) => {
      held[g] += quota[lp * gpuOf.length + slot];
    });
    const raw = Math.max(...held.map((tokens, g) => tokens / (problem.speed?.[g] ?? 1)));
    if (proof[lp * words] !== OPTIMAL || raw !== maxLoad[lp]) left++;
  }
  return left;
}

/** A batch of one LP of each family, with base loads or, where they are 0, without: what differs from the same LP in the large batch. */
async function oneByOne(
  solver: AnySolver,
  parts: Instance[],
  { maxLoad }: { maxLoad: Float64Array },
): Promise<string[]> {
  const different: string[] = [];
  for (const [i, { form, problem, batch }] of parts.entries()) {
    const row = (values: ArrayLike<number>) => Array.from(values).slice(0, values.length / batch);
    let loads: ReplicaLoads | EdgeLoads;
    if (form === "edge") loads = { load: row(problem.load), capacity: row(problem.capacity) };
    else {
      const [expertLoad, baseLoad] = [row(problem.expertLoad), row(problem.baseLoad!)];
      loads = baseLoad.some((tokens) => tokens !== 0) ? { expertLoad, baseLoad } : { expertLoad };
    }
    const alone = await solver.solve(loads);
    const expected = maxLoad[i * LPS_PER_FAMILY];
    if (alone.maxLoad[0] !== expected) different.push(`family ${i}: ${alone.maxLoad[0]} alone, ${expected} in a batch`);
  }
  return different;
}

function basedLps({ form, problem, batch }: Instance): number {
  if (form === "edge") return batch; // the loads that cannot move
  const { gpus } = problem.placement;
  const rows = Array.from({ length: batch }, (_, lp) =>
    Array.from(problem.baseLoad!).slice(lp * gpus, (lp + 1) * gpus),
  );
  return rows.filter((row) => row.some((tokens) => tokens !== 0)).length;
}
