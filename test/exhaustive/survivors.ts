import { seeded } from "../../src/common/random.ts";
import { certify, type KernelChoice, solveLoadBalanceLP } from "../../src/index.ts";
import {
  bruteForce,
  encoded,
  faultsOf,
  highsOf,
  optimaOf,
  rawFaults,
  spoiledCopies,
  survivorProblem,
  survivorsOf,
  tinySurvivors,
} from "../helpers/survivors.ts";

/** LPs of a topology: a kernel is compiled for each. */
const BATCH = 25;
const cpu = { backend: "cpu" } as const;

/** GPUs, slots of each, and the kernels that are tried; the last has proofs of several words, and one more of lane's limit. */
const shapes: readonly [gpus: () => number, perGpu: number, kernels: KernelChoice[]][] = (() => {
  const random = seeded(901);
  const all: KernelChoice[] = ["lane", "group", "specialised"];
  return [
    [() => 1 + random.below(6), 3, all],
    [() => 2 + random.below(5), 4, all],
    [() => 4 + random.below(5), 2, all],
    [() => 33 + random.below(8), 2, ["lane", "group"]],
    [() => 66 + random.below(8), 2, ["group"]],
  ];
})();
/** How often each is drawn. */
const drawn = [0, 1, 2, 0, 1, 3, 2, 0, 1, 4];

export interface SurvivorSummary {
  instances: number;
  /** LPs with a dead GPU, with a lost expert, with an empty slot. */
  dead: number;
  lost: number;
  empty: number;
  /** Answers of each kernel. */
  answers: Record<string, number>;
  finishedOnCpu: number;
  perturbedAccepted: number;
  failures: string[];
}

/** Random problems on the CPU and every kernel against what is left of them, solved by itself; tiny ones against all their splits. */
export async function sweepSurvivors(
  instances: number,
  firstSeed: number,
  onProgress: (done: number) => void = () => {},
): Promise<SurvivorSummary> {
  const none = { dead: 0, lost: 0, empty: 0, finishedOnCpu: 0, perturbedAccepted: 0 };
  const summary: SurvivorSummary = { instances: 0, ...none, answers: {}, failures: [] };
  const fail = (seed: number, found: readonly string[]) =>
    summary.failures.push(...found.map((fault) => `seed ${seed}: ${fault}`));
  for (let seed = firstSeed; summary.instances < instances; seed++) {
    const tiny = tinySurvivors(seeded(seed));
    fail(seed, faultsOf(tiny, survivorsOf(tiny), [bruteForce(tiny)], await solveLoadBalanceLP(tiny, cpu)));

    const [gpus, perGpu, kernels] = shapes[drawn[seed % drawn.length]];
    const problem = survivorProblem(seeded(seed + 0.5), gpus(), perGpu, BATCH);
    const left = survivorsOf(problem);
    const optima = await optimaOf(left, problem);
    const onCpu = await solveLoadBalanceLP(problem, { ...cpu, tokens: "integer" });
    fail(seed, faultsOf(problem, left, optima, onCpu));
    for (const spoiled of spoiledCopies(problem, left, onCpu)) {
      summary.perturbedAccepted += certify(problem, spoiled).filter(({ valid }) => valid).length;
    }
    const highs = Array.from({ length: BATCH }, (_, lp) => highsOf(left, lp) ?? optima[lp]);
    for (const backend of ["cpu", "webgpu"] as const) {
      const fractions = await solveLoadBalanceLP(problem, { backend, tokens: "fractional" });
      fail(seed, faultsOf(problem, left, highs, fractions));
    }
    for (const kernel of kernels) {
      if (kernel === "lane" && left.alive.length > 64) continue;
      const raw = await encoded(problem, kernel);
      fail(seed, raw.used === kernel ? [] : [`${kernel} was not used`]);
      fail(seed, [...rawFaults(problem, left, optima, raw), ...faultsOf(problem, left, optima, raw.answer)]);
      summary.finishedOnCpu += raw.answer.finishedOnCpu;
      summary.answers[kernel] = (summary.answers[kernel] ?? 0) + BATCH;
    }
    summary.instances += BATCH;
    if (left.alive.length < problem.placement.gpus) summary.dead += BATCH;
    if (left.lost.length > 0) summary.lost += BATCH;
    if (problem.placement.physicalToLogical.includes(-1)) summary.empty += BATCH;
    onProgress(summary.instances);
  }
  return summary;
}

/** Every answer optimal and certified, nothing sent to the dead, and no spoiled copy accepted. */
export async function survivors(
  instances: number,
  onProgress: (done: number, total: number) => void,
): Promise<boolean> {
  const summary = await sweepSurvivors(instances, 0, (done) => onProgress(done, instances));
  for (const failure of summary.failures.slice(0, 20)) console.log(failure);
  console.log(`instances             ${summary.instances}`);
  console.log(`with a dead GPU       ${summary.dead}`);
  console.log(`with a lost expert    ${summary.lost}`);
  console.log(`with an empty slot    ${summary.empty}`);
  console.log(`answers by kernel     ${JSON.stringify(summary.answers)}`);
  console.log(`finished on the CPU   ${summary.finishedOnCpu}`);
  console.log(`perturbed, accepted   ${summary.perturbedAccepted}`);
  console.log(`failures              ${summary.failures.length}`);
  return summary.failures.length === 0 && summary.perturbedAccepted === 0;
}
