/** Problems with dead GPUs, empty slots and lost experts, and what is left of them, worked out by itself. */

import type { Random } from "../../src/common/random.ts";
import {
  type Active,
  certify,
  createSolver,
  type KernelChoice,
  Placement,
  type ReplicaSolution,
  requestDevice,
  solveLoadBalanceLP,
} from "../../src/index.ts";
import { rowOf } from "./arrays.ts";
import { highsOptimum } from "./highs.ts";
import { type FlatReplicas, families, randomSpeeds } from "./instances.ts";

export type SurvivorProblem = FlatReplicas & { active: Active; expertLoad: number[] };

const batchOf = ({ placement, expertLoad }: SurvivorProblem) => expertLoad.length / placement.logicalExperts;

/** On `gpus` GPUs at most `perGpu` slots, some empty; experts that have no slot; some GPUs dead, never all. Base loads of dead GPUs are no numbers. */
export function survivorProblem(random: Random, gpus: number, perGpu: number, batch: number): SurvivorProblem {
  const uneven = random.next() < 0.3;
  const slotsPerGpu = Array.from({ length: gpus }, () => (uneven ? random.below(perGpu + 1) : perGpu));
  if (!slotsPerGpu.some((slots) => slots > 0)) slotsPerGpu[0] = 1;
  const slots = slotsPerGpu.reduce((a, b) => a + b);
  const logicalExperts = 1 + random.below(slots);
  const empty = random.pick<number>([0, 0.1, 0.4]);
  const map = Array.from({ length: slots }, () => (random.next() < empty ? -1 : random.below(logicalExperts)));
  const placement = Placement.fromPhysicalToLogical(map, { gpus, slotsPerGpu, logicalExperts });
  const active = Array.from({ length: gpus }, () => random.next() < random.pick([0.5, 0.8]));
  active[random.below(gpus)] = true;
  const kinds = Object.keys(families).filter(
    (family) => family !== "near 2^31" && family !== "many orders of magnitude",
  );
  const expertLoad = Array.from({ length: batch }, () =>
    families[random.pick(kinds)](random, logicalExperts, gpus),
  ).flat();
  const kind = random.pick(["none", "any", "negative"]);
  const base = () => random.below(6000) - (kind === "negative" ? 8000 : 1500);
  const baseLoad = Array.from({ length: batch * gpus }, (_, i) => (active[i % gpus] ? base() : Number.NaN));
  const speed = random.next() < 0.4 ? randomSpeeds(random, gpus) : undefined;
  return { placement, active, expertLoad, ...(kind === "none" ? {} : { baseLoad }), ...(speed && { speed }) };
}

/** Few enough tokens that all splits can be listed. */
export function tinySurvivors(random: Random): SurvivorProblem {
  const problem = survivorProblem(random, 2 + random.below(3), 1 + random.below(3), 1);
  const expertLoad = problem.expertLoad.map(() => random.below(4));
  return { ...problem, expertLoad };
}

/** The same problem without what is dead, empty or lost; its GPUs, slots and experts are numbered anew. */
export function survivorsOf(whole: SurvivorProblem) {
  const { placement, active, expertLoad, baseLoad, speed } = whole;
  const { gpus, logicalExperts, physicalExperts, physicalToLogical, gpuOf } = placement;
  const alive = [...Array(gpus).keys()].filter((g) => active[g]);
  const slots = [...Array(physicalExperts).keys()].filter((p) => active[gpuOf[p]] && physicalToLogical[p] >= 0);
  const experts = [...new Set(slots.map((p) => physicalToLogical[p]))].sort((a, b) => a - b);
  const lost = [...Array(logicalExperts).keys()].filter((e) => !experts.includes(e));
  const load = (lp: number, e: number) => expertLoad[lp * logicalExperts + e];
  const rows = [...Array(batchOf(whole)).keys()];
  const unserved = rows.map((lp) => lost.reduce((sum, e) => sum + load(lp, e), 0));
  const problem = slots.length > 0 && {
    placement: Placement.fromPhysicalToLogical(
      slots.map((p) => experts.indexOf(physicalToLogical[p])),
      { gpus: alive.length, slotsPerGpu: alive.map((g) => slots.filter((p) => gpuOf[p] === g).length) },
    ),
    expertLoad: rows.flatMap((lp) => experts.map((e) => load(lp, e))),
    ...(baseLoad && { baseLoad: rows.flatMap((lp) => alive.map((g) => baseLoad[lp * gpus + g])) }),
    ...(speed && { speed: alive.map((g) => speed[g]) }),
  };
  return { alive, slots, experts, lost, unserved, problem };
}

type Left = ReturnType<typeof survivorsOf>;

/** The least max load of each LP, from the exact solver on what is left; where nothing is, of base loads alone. */
export async function optimaOf({ problem, alive }: Left, whole: SurvivorProblem): Promise<number[]> {
  if (problem) return [...(await solveLoadBalanceLP(problem, { backend: "cpu" })).maxLoad];
  const { gpus } = whole.placement;
  return Array.from({ length: batchOf(whole) }, (_, lp) =>
    Math.max(...alive.map((g) => (whole.baseLoad?.[lp * gpus + g] ?? 0) / (whole.speed?.[g] ?? 1))),
  );
}

/** The least max load over every split of tiny loads, by listing them. */
export function bruteForce({ placement, active, expertLoad, baseLoad, speed }: SurvivorProblem): number {
  const { gpus, logicalExperts, physicalToLogical, gpuOf } = placement;
  const alive = [...Array(gpus).keys()].filter((g) => active[g]);
  let loads = [alive.map((g) => baseLoad?.[g] ?? 0)];
  for (let e = 0; e < logicalExperts; e++) {
    const hosts = [...alive.keys()].filter((i) =>
      [...gpuOf].some((g, slot) => g === alive[i] && physicalToLogical[slot] === e),
    );
    for (let token = 0; token < expertLoad[e] && hosts.length > 0; token++) {
      const more = loads.flatMap((load) => hosts.map((host) => load.map((tokens, i) => tokens + (i === host ? 1 : 0))));
      loads = [...new Map(more.map((load) => [load.join(), load])).values()];
    }
  }
  return Math.min(...loads.map((load) => Math.max(...load.map((tokens, i) => tokens / (speed?.[alive[i]] ?? 1)))));
}

/** What is wrong with a solution: lost experts, tokens where none may be, its optimum and its proof. */
export function faultsOf(
  whole: SurvivorProblem,
  left: Left,
  optima: readonly number[],
  solution: ReplicaSolution,
): string[] {
  const { gpus, physicalExperts } = whole.placement;
  const found: string[] = [];
  if (solution.lost.join() !== left.lost.join()) found.push(`lost ${solution.lost}, not ${left.lost}`);
  if (solution.unserved.join() !== left.unserved.join()) found.push(`unserved ${solution.unserved}`);
  for (let lp = 0; lp < batchOf(whole); lp++) {
    const quota = rowOf(solution.quota as Int32Array, lp, physicalExperts);
    if (quota.some((tokens, p) => tokens !== 0 && !left.slots.includes(p))) found.push(`LP ${lp}: tokens on the dead`);
    for (const g of Array(gpus).keys()) {
      if (left.alive.includes(g)) continue;
      const [load, price] = [solution.gpuLoad[lp * gpus + g], solution.price[lp * gpus + g]];
      if (load !== 0 || price !== 0 || solution.bottleneck[lp].includes(g)) found.push(`LP ${lp}: GPU ${g} takes part`);
    }
    const exact = solution.tokens === "integer";
    const off = Math.abs(solution.maxLoad[lp] - optima[lp]);
    const near = off <= (exact ? 0 : 1e-6 * Math.max(1, Math.abs(optima[lp])));
    if (!near) found.push(`LP ${lp}: ${solution.maxLoad[lp]}, not ${optima[lp]}`);
    if (solution.status[lp] !== "optimal") found.push(`LP ${lp}: ${solution.status[lp]}`);
  }
  const verdicts = certify(whole, solution).map(({ verdict }) => verdict);
  if (verdicts.some((verdict) => verdict !== "optimal")) found.push(`certified ${verdicts}`);
  return found;
}

/** Copies that must not be accepted, each with all LPs spoiled; those that the problem has no place for are left out. */
export function* spoiledCopies(whole: SurvivorProblem, left: Left, solution: ReplicaSolution) {
  const { gpus, physicalExperts } = whole.placement;
  const { batch, quota, gpuLoad, price, bottleneck } = solution;
  const moved = (values: Int32Array | Float64Array, width: number, at: number, by: (lp: number) => number) => {
    const copy = values.slice();
    for (let lp = 0; lp < batch; lp++) copy[lp * width + at] += by(lp);
    return copy;
  };
  const idle = [...Array(physicalExperts).keys()].find((p) => !left.slots.includes(p));
  const dead = [...Array(gpus).keys()].find((g) => !left.alive.includes(g));
  if (idle !== undefined) yield { ...solution, quota: moved(quota, physicalExperts, idle, () => 1) };
  if (dead !== undefined) {
    yield { ...solution, gpuLoad: moved(gpuLoad, gpus, dead, () => 1) as Float64Array };
    yield { ...solution, price: moved(price, gpus, dead, () => 0.5) as Float64Array };
    yield { ...solution, bottleneck: bottleneck.map((set) => [...set, dead].sort((a, b) => a - b)) };
  }
  yield { ...solution, unserved: solution.unserved.map((tokens) => tokens + 1) };
  const lives = left.experts[0];
  if (lives === undefined) return;
  yield { ...solution, lost: [...solution.lost, lives].sort((a, b) => a - b) };
  yield { ...solution, quota: moved(quota, physicalExperts, left.slots[0], () => -1) };
}

const { device } = await requestDevice();

/** Buffers full of what nobody would write, and what a kernel leaves in them: quotas, status and bottleneck set of each LP. */
export async function encoded(whole: SurvivorProblem, kernel: KernelChoice) {
  const { placement, expertLoad, baseLoad, speed, active } = whole;
  const { gpus, physicalExperts } = placement;
  const batch = batchOf(whole);
  const words = 3 + Math.ceil(gpus / 32);
  const solver = await createSolver(placement, { backend: "webgpu", device, kernel, speed, active });
  await solver.ready;
  const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const create = (data: Int32Array<ArrayBuffer>) => {
    const buffer = device.createBuffer({ size: Math.max(16, data.byteLength), usage: STORAGE | COPY_SRC | COPY_DST });
    device.queue.writeBuffer(buffer, 0, data);
    return buffer;
  };
  const unwritten = (length: number) => new Int32Array(length).fill(-0x21524111);
  const quota = create(unwritten(batch * physicalExperts));
  const proof = create(unwritten(batch * words));
  const encoder = device.createCommandEncoder();
  const loads = { expertLoad: create(Int32Array.from(expertLoad)) };
  // Of dead GPUs any number may stand there.
  const base = baseLoad && create(Int32Array.from(baseLoad, (tokens, i) => (active[i % gpus] ? tokens : 2 ** 30)));
  solver.encode(encoder, { batch, ...loads, ...(base && { baseLoad: base }), quota, proof });
  const target = device.createBuffer({ size: quota.size + proof.size, usage: COPY_DST | MAP_READ });
  encoder.copyBufferToBuffer(quota, 0, target, 0, quota.size);
  encoder.copyBufferToBuffer(proof, 0, target, quota.size, proof.size);
  device.queue.submit([encoder.finish()]);
  await target.mapAsync(GPUMapMode.READ);
  const mapped = target.getMappedRange();
  const quotas = new Int32Array(mapped.slice(0, 4 * batch * physicalExperts));
  const proofs = new Uint32Array(mapped.slice(quota.size, quota.size + 4 * batch * words));
  const answer = await solver.solve({ expertLoad, ...(baseLoad && { baseLoad }) });
  const used = solver.plan.kernel;
  solver.destroy();
  for (const buffer of [quota, proof, loads.expertLoad, base, target]) buffer?.destroy();
  return { quotas, proofs, words, answer, used };
}

/** What is wrong with a kernel's own answer, before anybody mends it. */
export function rawFaults(
  whole: SurvivorProblem,
  left: Left,
  optima: readonly number[],
  { quotas, proofs, words }: Pick<Awaited<ReturnType<typeof encoded>>, "quotas" | "proofs" | "words">,
): string[] {
  const { placement, expertLoad, baseLoad, speed } = whole;
  const { gpus, logicalExperts, physicalExperts, physicalToLogical, gpuOf } = placement;
  const found: string[] = [];
  for (let lp = 0; lp < batchOf(whole); lp++) {
    const served = new Array<number>(logicalExperts).fill(0);
    const load = Array.from({ length: gpus }, (_, g) => baseLoad?.[lp * gpus + g] ?? 0);
    for (let p = 0; p < physicalExperts; p++) {
      const tokens = quotas[lp * physicalExperts + p];
      if (!left.slots.includes(p)) {
        if (tokens !== 0) found.push(`LP ${lp}: ${tokens} in slot ${p}, where none may be`);
        continue;
      }
      if (tokens < 0) found.push(`LP ${lp}: ${tokens} in slot ${p}`);
      served[physicalToLogical[p]] += tokens;
      load[gpuOf[p]] += tokens;
    }
    const wrong = left.experts.find((e) => served[e] !== expertLoad[lp * logicalExperts + e]);
    if (wrong !== undefined) found.push(`LP ${lp}: expert ${wrong} is served ${served[wrong]}`);
    const [status, , , ...bits] = rowOf(proofs as unknown as Int32Array, lp, words);
    const set = [...Array(32 * (words - 3)).keys()].filter((g) => (bits[g >> 5] >>> (g & 31)) & 1);
    if (set.length === 0 || set.some((g) => !left.alive.includes(g))) found.push(`LP ${lp}: bottleneck ${set}`);
    // Unequal speeds are rounded, and times before 0 are left to the CPU.
    const maxLoad = Math.max(...left.alive.map((g) => load[g] / (speed?.[g] ?? 1)));
    if (speed === undefined && (maxLoad !== optima[lp] || status !== 0)) {
      found.push(`LP ${lp}: ${maxLoad} with status ${status}, not ${optima[lp]}`);
    }
  }
  return found;
}

/** HiGHS on what is left, in fractions; undefined where nobody has tokens, which it has no unit for. */
export function highsOf({ problem, experts }: Left, lp: number): number | undefined {
  const row = problem ? problem.expertLoad.slice(lp * experts.length, (lp + 1) * experts.length) : [];
  if (!problem || row.every((tokens) => tokens === 0)) return undefined;
  return highsOptimum({ name: "survivors", batch: 1, form: "replica", problem }, lp);
}
