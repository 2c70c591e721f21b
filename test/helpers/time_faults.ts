/** What is wrong with an answer about time: its tokens, its times, its bound, its proof and its status; and answers that have something wrong. */
import { certify, type TimedSolution } from "../../src/index.ts";
import { provesTimeBound } from "./time_proof.ts";
import { costOf, livingOf, type TimedProblem } from "./timed_problems.ts";

/** As times are compared: sums of f64 in other orders. */
export const near = (a: number, b: number) => Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b));

/** Against the least time of each LP; `exact` where the answer must be that. */
export function timeFaults(
  problem: TimedProblem,
  solution: TimedSolution,
  optima: readonly number[],
  exact: boolean,
): string[] {
  const certificates = certify(problem, solution);
  const { maxTime, timeBound, timeGap, timeProof, status } = solution;
  return optima.flatMap((optimum, lp) => {
    const found = untrue(problem, solution, lp);
    const figures = `max time ${maxTime[lp]}, bound ${timeBound[lp]}, optimum ${optimum}`;
    const reached = near(maxTime[lp], optimum);
    if (!(maxTime[lp] >= optimum || reached)) found.push(`sooner than possible: ${figures}`);
    if (!(timeBound[lp] <= optimum || near(timeBound[lp], optimum)))
      found.push(`a bound above the optimum: ${figures}`);
    const optimal = status[lp] === "optimal";
    if (optimal && !reached) found.push(`wrongly optimal: ${figures}`);
    if (optimal !== timeGap[lp] <= 1e-9) found.push(`${status[lp]}, with a gap of ${timeGap[lp]}`);
    if (exact && !(optimal && reached)) found.push(`not optimal: ${figures}`);
    if (!provesTimeBound(problem, solution, lp)) found.push(`${JSON.stringify(timeProof[lp])} proves no ${figures}`);
    const { valid, verdict } = certificates[lp];
    if (!valid || verdict !== status[lp]) found.push(`refused: ${JSON.stringify(certificates[lp])}`);
    return found.map((fault) => `LP ${lp}: ${fault}`);
  });
}

/** Figures that are not what the quotas give, by the definitions. */
function untrue(problem: TimedProblem, solution: TimedSolution, lp: number): string[] {
  const { placement, cost, expertLoad, baseLoad, speed } = problem;
  const { gpus, logicalExperts, physicalExperts, gpuOf } = placement;
  const { alive, slots } = livingOf(problem);
  const quota = Array.from({ length: physicalExperts }, (_, p) => solution.quota[lp * physicalExperts + p]);
  const c = costOf(cost);
  const found: string[] = [];
  if (!quota.every((tokens) => Number.isInteger(tokens) && tokens >= 0)) found.push(`quotas ${quota}`);
  const served = new Set(slots.flat());
  if (quota.some((tokens, p) => tokens > 0 && !served.has(p))) found.push("tokens where nobody serves them");
  for (const [e, own] of slots.entries()) {
    const sum = own.reduce((tokens, p) => tokens + quota[p], 0);
    if (own.length > 0 && sum !== expertLoad[lp * logicalExperts + e]) found.push(`${sum} tokens of expert ${e}`);
  }
  const timeAt = (g: number) => {
    const own = quota.filter((_, p) => gpuOf[p] === g);
    const base = baseLoad?.[lp * gpus + g] ?? 0;
    return own.reduce((sum, tokens) => sum + c(tokens), base) / (speed?.[g] ?? 1);
  };
  const times = Array.from({ length: gpus }, (_, g) => (alive.includes(g) ? timeAt(g) : 0));
  const most = Math.max(...alive.map((g) => times[g]));
  const { time, maxTime, timeBound, timeGap } = solution;
  const given = [...time.subarray(lp * gpus, (lp + 1) * gpus)];
  const scale = times.reduce((sum, value) => sum + Math.abs(value), 0); // bases of both signs may cancel
  const close = (a: number, b: number) => Math.abs(a - b) <= 1e-12 * scale;
  if (!given.every((value, g) => close(value, times[g]))) found.push(`time ${given}, not ${times}`);
  if (!close(maxTime[lp], most)) found.push(`maxTime ${maxTime[lp]}, not ${most}`);
  const left = maxTime[lp] - timeBound[lp];
  const gap = left === 0 ? 0 : left / Math.max(Math.abs(maxTime[lp]), Math.abs(timeBound[lp]));
  if (!(Math.abs(timeGap[lp] - gap) <= 1e-12)) found.push(`timeGap ${timeGap[lp]}, not ${gap}`);
  return found;
}

/** Copies with every LP spoiled in one figure, each of which makes it invalid. */
export function* spoiledTimes(solution: TimedSolution): Generator<TimedSolution> {
  const { time, maxTime, timeGap, timeProof, bottleneck, quota, batch } = solution;
  const more = (values: Float64Array) => values.map((value) => value + 1e-6 * Math.max(1, Math.abs(value)));
  yield { ...solution, time: more(time) };
  yield { ...solution, maxTime: more(maxTime) };
  yield { ...solution, timeGap: more(timeGap) };
  const another = quota.slice();
  for (let i = 0; i < quota.length; i += quota.length / batch) another[i]++;
  yield { ...solution, quota: another };
  yield { ...solution, bottleneck: bottleneck.map((gpus) => (gpus[0] === 0 ? gpus.slice(1) : [0, ...gpus])) };
  yield { ...solution, timeProof: timeProof.map(() => ({ rule: "tokens" }) as never) };
  yield { ...solution, timeProof: timeProof.map(() => ({ rule: "units" }) as never) };
}

/** How many LPs have a proof, by `certify` or word for word, that none is done as soon as the best of all splits: must be none. */
export function falseProofs(problem: TimedProblem, solution: TimedSolution, optima: readonly number[]): number {
  const { placement, baseLoad = [], speed = [1], cost, expertLoad } = problem;
  const units = costOf(cost)(100 + Math.max(...expertLoad)) + Math.max(0, ...baseLoad.map(Math.abs));
  const slightly = (1e-6 * units * placement.gpus) / Math.min(...speed);
  const timeBound = Float64Array.from(optima, (optimum) => optimum + slightly + 1e-6 * Math.abs(optimum));
  const later = { ...solution, timeBound };
  const certificates = certify(problem, later);
  return optima.filter((_, lp) => certificates[lp].timeBoundValid || provesTimeBound(problem, later, lp)).length;
}
