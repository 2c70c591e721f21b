import { seeded } from "../../src/common/random.ts";
import { certify, solveLoadBalanceLP, type TimedSolution } from "../../src/index.ts";
import { leastTimeByBounds } from "../helpers/branch_and_bound_time.ts";
import { leastTime } from "../helpers/brute_force_time.ts";
import { falseProofs, near, spoiledTimes, timeFaults } from "../helpers/time_faults.ts";
import { costs, exactKinds, type Sizes, timedProblem } from "../helpers/timed_problems.ts";

/** LPs of a placement. */
const BATCH = 10;
/** Too many splits to be listed: these are for branch and bound. */
const larger: Sizes = { gpus: 5, experts: 9, tokens: 40, splits: Infinity };
/** Placements of tiny problems to one of larger ones. */
const TINY = 4;

export interface KindOfCost {
  /** Of both backends: how many there are, are the optimum, and are proven to be. */
  answers: number;
  reached: number;
  proven: number;
  /** The worst answer above the optimum, and the worst bound below it, as shares of it, of problems without base loads below 0. */
  answer: number;
  bound: number;
}

export interface TimeSummary {
  instances: number;
  /** LPs with unequal speeds, with base loads, with a dead GPU. */
  unequal: number;
  based: number;
  dead: number;
  kinds: Record<string, KindOfCost>;
  spoiledAccepted: number;
  falseProofs: number;
  failures: string[];
}

/** Random problems of every kind of cost on both backends, against the least time over all their splits. */
export async function sweepTimes(
  instances: number,
  firstSeed: number,
  onProgress: (done: number) => void = () => {},
): Promise<TimeSummary> {
  const none = { unequal: 0, based: 0, dead: 0, spoiledAccepted: 0, falseProofs: 0 };
  const summary: TimeSummary = { instances: 0, ...none, kinds: {}, failures: [] };
  const kinds = Object.keys(costs);
  for (const kind of kinds) summary.kinds[kind] = { answers: 0, reached: 0, proven: 0, answer: 0, bound: 0 };
  for (let seed = firstSeed; summary.instances < instances; seed++) {
    const kind = kinds[seed % kinds.length];
    const small = Math.floor(seed / kinds.length) % (TINY + 1) < TINY;
    const problem = timedProblem(seeded(seed), kind, BATCH, small ? undefined : larger);
    const optima = Array.from({ length: BATCH }, (_, lp) => (small ? leastTime : leastTimeByBounds)(problem, lp));
    const positive = !problem.baseLoad?.some((base) => base < 0);
    for (const backend of ["cpu", "webgpu"] as const) {
      const solution = (await solveLoadBalanceLP(problem, { backend })) as TimedSolution;
      const found = timeFaults(problem, solution, optima, exactKinds.includes(kind));
      summary.failures.push(...found.map((fault) => `seed ${seed}, ${kind}, ${backend}: ${fault}`));
      tally(summary.kinds[kind], solution, optima, positive);
      for (const spoiled of spoiledTimes(solution)) {
        summary.spoiledAccepted += certify(problem, spoiled).filter(({ valid }) => valid).length;
      }
      summary.falseProofs += falseProofs(problem, solution, optima);
    }
    summary.instances += BATCH;
    if (problem.speed) summary.unequal += BATCH;
    if (problem.baseLoad) summary.based += BATCH;
    if (problem.active?.includes(false)) summary.dead += BATCH;
    onProgress(summary.instances);
  }
  return summary;
}

function tally(kind: KindOfCost, solution: TimedSolution, optima: readonly number[], positive: boolean): void {
  const { maxTime, timeBound, status } = solution;
  for (const [lp, optimum] of optima.entries()) {
    kind.answers++;
    if (near(maxTime[lp], optimum)) kind.reached++;
    if (status[lp] === "optimal") kind.proven++;
    if (!positive || optimum === 0) continue;
    kind.answer = Math.max(kind.answer, maxTime[lp] / optimum - 1);
    kind.bound = Math.max(kind.bound, 1 - timeBound[lp] / optimum);
  }
}

/** Every answer as it must be, no spoiled copy accepted, and nothing proven that is not so. */
export async function timed(instances: number, onProgress: (done: number, total: number) => void): Promise<boolean> {
  const summary = await sweepTimes(instances, 0, (done) => onProgress(done, instances));
  for (const failure of summary.failures.slice(0, 20)) console.log(failure);
  console.log(`instances             ${summary.instances}`);
  console.log(`unequal speeds        ${summary.unequal}`);
  console.log(`base loads            ${summary.based}`);
  console.log(`a dead GPU            ${summary.dead}`);
  const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
  for (const [kind, { answers, reached, proven, answer, bound }] of Object.entries(summary.kinds)) {
    const worst = `worst ${percent(answer)} above it, bound ${percent(bound)} below`;
    console.log(`${kind.padEnd(22)}${answers} answers, ${reached} the optimum, ${proven} proven; ${worst}`);
  }
  console.log(`spoiled, accepted     ${summary.spoiledAccepted}`);
  console.log(`false, proven         ${summary.falseProofs}`);
  console.log(`failures              ${summary.failures.length}`);
  return summary.failures.length + summary.spoiledAccepted + summary.falseProofs === 0;
}
