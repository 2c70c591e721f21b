/**
 * The proof, checked by itself: everything is recomputed from the problem and the solution's claims. Shares no code with the solvers,
 * not even their reduction of the edge form. Loads that are integers are added as integers, exactly.
 */
import type { Active } from "../placement/active.ts";
import { Placement } from "../placement/placement.ts";
import { certifyTime, type TimedClaims } from "./certify_time.ts";
import { certifyTraffic, type TrafficClaims } from "./certify_traffic.ts";
import { reader, requireSolution, tokensOf } from "./check_solution.ts";
import { type EdgeProblem, isEdgeForm, type LoadBalanceProblem, type ReplicaProblem } from "./problem.ts";
import type { EdgeSolution, ReplicaSolution } from "./solution.ts";

export interface Certificate {
  /**
   * Every token is served exactly once: each expert's quotas add up to its load, but of those without a slot on a living GPU, which `lost` and
   * `unserved` say. (In the edge form a flow cannot lose tokens.)
   */
  conserved: boolean;
  /** No quota or flow is negative or beyond its capacity, which is 0 on dead GPUs and in empty slots; in whole tokens none is a fraction. */
  withinCapacity: boolean;
  /** gpuLoad and maxLoad are what the quotas or flows give; 0 on dead GPUs. */
  loadsTrue: boolean;
  /** The bottleneck set, of living GPUs, proves lowerBound, and price is the dual that belongs to it: 1 / speed(S) on S, 0 elsewhere. */
  boundValid: boolean;
  /** With a cost: time and maxTime are what the quotas give. */
  timeTrue?: boolean;
  /** With a cost: the bottleneck set proves timeBound, as timeProof says. */
  timeBoundValid?: boolean;
  /** With sourceLoad: traffic is what sourceQuota gives, which is of the sources' own tokens and adds up to quota. */
  trafficTrue?: boolean;
  /** With sourceLoad: the potentials prove trafficBound, of all splits within loadLimit, and this is one. */
  trafficBoundValid?: boolean;
  /** (maxLoad - lowerBound) / maxLoad, recomputed. */
  gap: number;
  /** "optimal" and "gap" as in solution.status, which with a cost speaks of time; "invalid" where a claim does not hold, be it the status. */
  verdict: "optimal" | "gap" | "invalid";
  /** verdict is not "invalid". */
  valid: boolean;
}

/** What one LP asks for, from the form it was given in. */
interface Claims {
  conserved: boolean;
  withinCapacity: boolean;
  /** [G] recomputed loads, 0 where a GPU is dead. */
  load: Float64Array;
  /** [G] whether a GPU is alive. */
  alive: boolean[];
  /** inside(S) for a set of GPUs. */
  inside(member: readonly boolean[]): number;
  /** Where there is a cost, what its times are to be checked against. */
  timed?: (member: readonly boolean[]) => TimedClaims;
  /** Where sources were told, what the traffic is to be checked against. */
  sent?: TrafficClaims;
}

/** Fractions: sums of f64 carry rounding errors of this order, relative to the loads involved. */
const ROUNDING = 1e-11;
/** Fractions count as optimal up to this gap. */
const FRACTIONAL_OPTIMAL = 1e-6;

/**
 * Checks a solution of `solveLoadBalanceLP` against its problem, LP by LP, in a few lines of arithmetic.
 *
 *   inside(S) = load that can be served only inside S;  no split beats the time by which S serves that much
 *
 * @param problem  what was solved.  @param solution  read, never written. A claim that is false, or NaN, is not valid.
 * @returns [B] a certificate per LP.
 * @throws {ArgumentError | ShapeError | LoadError} Not a problem, or not a solution of all its LPs: a part is missing or of another length.
 */
export function certify(problem: ReplicaProblem, solution: ReplicaSolution): Certificate[];
export function certify(problem: EdgeProblem, solution: EdgeSolution): Certificate[];
export function certify(problem: LoadBalanceProblem, solution: ReplicaSolution | EdgeSolution): Certificate[];
export function certify(problem: LoadBalanceProblem, solution: ReplicaSolution | EdgeSolution): Certificate[] {
  const { batch, gpus } = requireSolution(problem, solution);
  const speed = Array.from({ length: gpus }, (_, g) => problem.speed?.[g] ?? 1);
  const edgeForm = isEdgeForm<ReplicaProblem, EdgeProblem>(problem);
  const placement = edgeForm ? undefined : Placement.of("problem.placement", problem.placement);
  return Array.from({ length: batch }, (_, lp) => {
    const claims = placement
      ? replicaClaims({ ...(problem as ReplicaProblem), placement }, solution as ReplicaSolution, lp)
      : edgeClaims(problem as EdgeProblem, solution as EdgeSolution, lp);
    return certificateOf(speed, claims, solution, lp);
  });
}

function certificateOf(
  speed: number[],
  claims: Claims,
  solution: ReplicaSolution | EdgeSolution,
  lp: number,
): Certificate {
  const { conserved, withinCapacity, load, alive, inside, timed, sent } = claims;
  const gpus = speed.length;
  const whole = solution.tokens === "integer";
  const maxLoad = solution.maxLoad[lp];
  const lowerBound = solution.lowerBound[lp];
  const near = (a: number, b: number) =>
    whole ? a === b : Math.abs(a - b) <= ROUNDING * Math.max(Math.abs(a), Math.abs(b));

  let loadsTrue = near(
    load.reduce((top, tokens, g) => (alive[g] ? Math.max(top, tokens / speed[g]) : top), -Infinity),
    maxLoad,
  );
  for (let g = 0; g < gpus; g++) loadsTrue &&= near(load[g], solution.gpuLoad[lp * gpus + g]);

  const bottleneck = solution.bottleneck[lp];
  const member = speed.map((_, g) => bottleneck.includes(g));
  const insideSpeed = speed.reduce((sum, v, g) => sum + (member[g] ? v : 0), 0);
  let boundValid =
    bottleneck.length > 0 &&
    bottleneck.every((g, i) => Number.isInteger(g) && g >= 0 && g < gpus && alive[g] && !(g <= bottleneck[i - 1]));
  for (let g = 0; g < gpus; g++) {
    const price = member[g] ? 1 / insideSpeed : 0;
    boundValid &&= Math.abs(solution.price[lp * gpus + g] - price) <= ROUNDING * price;
  }
  const insideLoad = inside(member);
  if (whole) {
    // Before the time lowerBound, the GPUs of S serve too few whole tokens.
    let before = 0;
    for (let g = 0; g < gpus; g++) if (member[g]) before += wholeTokensBefore(lowerBound, speed[g]);
    boundValid &&= before < insideLoad;
  } else {
    boundValid &&=
      lowerBound * insideSpeed <= insideLoad + ROUNDING * (Math.abs(insideLoad) + Math.abs(lowerBound) * insideSpeed);
  }

  const gap = maxLoad === lowerBound ? 0 : (maxLoad - lowerBound) / Math.max(Math.abs(maxLoad), Math.abs(lowerBound));
  const time = timed && certifyTime(timed(member), solution as ReplicaSolution, lp);
  const closed = time?.closed ?? (gap <= (whole ? 0 : FRACTIONAL_OPTIMAL) ? "optimal" : "gap");
  const claimed = gap >= 0 && solution.gap[lp] === gap && solution.status[lp] === closed && (time?.claimed ?? true);
  const timeProven = !time || (time.timeTrue && time.timeBoundValid);
  const traffic = sent && certifyTraffic(sent, solution as ReplicaSolution, lp);
  const trafficProven = !traffic || (traffic.trafficTrue && traffic.trafficBoundValid);
  const valid = conserved && withinCapacity && loadsTrue && boundValid && timeProven && trafficProven && claimed;
  return {
    ...{ conserved, withinCapacity, loadsTrue, boundValid },
    ...traffic,
    ...(time && { timeTrue: time.timeTrue, timeBoundValid: time.timeBoundValid }),
    ...{ gap, verdict: valid ? closed : "invalid", valid },
  };
}

/** The largest k with k / v < t; of claims beyond all loads only the order of magnitude, for counting by 1 ends at 2^53. */
function wholeTokensBefore(t: number, v: number): number {
  if (!(Math.abs(v * t) < 2 ** 52)) return v * t;
  let k = Math.ceil(v * t) - 1;
  while ((k + 1) / v < t) k++;
  while (k / v >= t) k--;
  return k;
}

function replicaClaims(
  problem: ReplicaProblem & { placement: Placement },
  solution: ReplicaSolution,
  lp: number,
): Claims {
  const { placement, baseLoad, active, speed, cost } = problem;
  const { gpus, logicalExperts, physicalExperts, physicalToLogical, gpuOf } = placement;
  const alive = Array.from({ length: gpus }, (_, g) => Boolean((active as Active | undefined)?.[g] ?? true));
  const tokens = tokensOf(problem, logicalExperts);
  const baseOf = baseLoad === undefined ? () => 0 : reader(baseLoad, gpus);
  const w = Array.from({ length: logicalExperts }, (_, e) => tokens.of(lp, e));
  const given = Array.from({ length: gpus }, (_, g) => (alive[g] ? baseOf(lp, g) : 0));
  const b = cost ? new Array<number>(gpus).fill(0) : given; // with a cost base loads are times
  const load = Float64Array.from(b);
  const lives = new Array<boolean>(logicalExperts).fill(false);
  const served = new Float64Array(logicalExperts);
  let withinCapacity = true;
  for (let p = 0; p < physicalExperts; p++) {
    const amount = solution.quota[lp * physicalExperts + p];
    const e = physicalToLogical[p];
    if (e < 0 || !alive[gpuOf[p]]) {
      withinCapacity &&= amount === 0;
      continue;
    }
    withinCapacity &&= amount >= 0 && isAllowed(amount, solution.tokens);
    lives[e] = true;
    served[e] += amount;
    load[gpuOf[p]] += amount;
  }
  const slack = solution.tokens === "integer" ? 0 : ROUNDING;
  const lost = [...lives.keys()].filter((e) => !lives[e]);
  const unserved = lost.reduce((sum, e) => sum + w[e], 0);
  const conserved =
    w.every((tokens, e) => !lives[e] || Math.abs(served[e] - tokens) <= slack * tokens) &&
    solution.lost.length === lost.length &&
    lost.every((e, i) => solution.lost[i] === e) &&
    Math.abs(solution.unserved[lp] - unserved) <= slack * unserved;
  const living = [...gpuOf.keys()].filter((p) => physicalToLogical[p] >= 0 && alive[gpuOf[p]]);
  const confinedTo = (member: readonly boolean[]) => {
    const confined = [...lives];
    for (const p of living) if (!member[gpuOf[p]]) confined[physicalToLogical[p]] = false;
    return [...confined.keys()].filter((e) => confined[e]);
  };
  const inside = (member: readonly boolean[]) => {
    let sum = 0;
    for (let g = 0; g < gpus; g++) if (member[g]) sum += b[g];
    for (const e of confinedTo(member)) sum += w[e];
    return sum;
  };
  const distance = tokens.distance;
  const sent = distance && {
    ...{ gpus, alive, load, gpuOf, sources: distance.sources, experts: logicalExperts, slotExpert: physicalToLogical },
    ...{ base: given, speed: given.map((_, g) => speed?.[g] ?? 1) },
    distance: (s: number, g: number) => distance.values[s * gpus + g],
    tokens: (s: number, e: number) => tokens.from(lp, s, e),
  };
  if (!cost) return { conserved, withinCapacity, load, alive, inside, sent };
  const timed = (member: readonly boolean[]): TimedClaims => ({
    ...{ cost, alive, member, base: given, tokens: w, inside: confinedTo(member) },
    speed: given.map((_, g) => speed?.[g] ?? 1),
    copies: w.map((_, e) => living.filter((p) => physicalToLogical[p] === e).length),
    slots: living.map((p) => ({ gpu: gpuOf[p], tokens: solution.quota[lp * physicalExperts + p] })),
  });
  return { conserved, withinCapacity, load, alive, inside, timed, sent };
}

function edgeClaims({ gpus, edges, load: given, capacity }: EdgeProblem, solution: EdgeSolution, lp: number): Claims {
  const [loadOf, capacityOf] = [reader(given, gpus), reader(capacity, edges.length)];
  const l = Array.from({ length: gpus }, (_, g) => loadOf(lp, g));
  const c = edges.map((_, e) => capacityOf(lp, e));
  const load = Float64Array.from(l);
  let withinCapacity = true;
  let conserved = true;
  for (const [e, [from, to]] of edges.entries()) {
    const flow = solution.flow[lp * edges.length + e];
    withinCapacity &&= flow >= 0 && flow <= c[e] * (1 + ROUNDING) && isAllowed(flow, solution.tokens);
    conserved &&= Number.isFinite(flow);
    load[from] -= flow;
    load[to] += flow;
  }
  // What lies on S stays there, but for what the edges out of S can carry.
  const inside = (member: readonly boolean[]) => {
    let sum = 0;
    for (let g = 0; g < gpus; g++) if (member[g]) sum += l[g];
    for (const [e, [from, to]] of edges.entries()) if (member[from] && !member[to]) sum -= c[e];
    return sum;
  };
  return { conserved, withinCapacity, load, alive: new Array<boolean>(gpus).fill(true), inside };
}

function isAllowed(tokens: number, mode: "integer" | "fractional"): boolean {
  return mode === "integer" ? Number.isInteger(tokens) : Number.isFinite(tokens);
}
