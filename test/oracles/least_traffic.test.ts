/** Traffic against an oracle that shares nothing with it: all sets of GPUs for the load, plain shortest paths for the traffic; HiGHS and lists for those. */
import { expect, test } from "vitest";
import { seeded } from "../../src/common/random.ts";
import { certify, solveLoadBalanceLP } from "../../src/index.ts";
import {
  capsOf,
  distanceOf,
  leastLoad,
  leastTraffic,
  leastTrafficByHighs,
  leastTrafficListed,
  type Transport,
  transportOf,
} from "../helpers/least_traffic.ts";
import { type SourcedCase, sourcedCase } from "../helpers/sourced_problems.ts";
import { faults, spoiled, type TrafficSolution } from "../helpers/traffic_faults.ts";

const BATCH = 4;

async function solve({ problem, slack }: SourcedCase): Promise<TrafficSolution> {
  const { expertLoad, ...own } = problem;
  return (await solveLoadBalanceLP(own, { backend: "cpu", slack })) as TrafficSolution;
}

/** Equal, where distances are whole numbers; else to 1e-9. */
const isEqual = (found: number, expected: number, kind: SourcedCase["kind"]) =>
  found === expected || (kind === "fractions" && Math.abs(found - expected) <= 1e-9 * Math.abs(expected));

/** What is wrong with the potentials and the quotas, by the documents' own words. */
function broken(one: SourcedCase, answer: TrafficSolution, lp: number, transport: Transport): string[] {
  const { problem, sources, kind } = one;
  const { physicalToLogical, gpuOf, gpus, logicalExperts: experts, physicalExperts: slots } = problem.placement;
  const { potential, loadLimit, trafficBound, traffic, sourceQuota, quota, gpuLoad } = answer;
  const { alive, base } = transport;
  const cap = capsOf(transport, loadLimit[lp]);
  const wrong: string[] = [];
  const close = (a: number, b: number) => Math.abs(a - b) <= (kind === "fractions" ? 1e-9 * (Math.abs(b) + 1) : 0);
  const y = (g: number) => potential.gpu[lp * gpus + g];
  const load = Float64Array.from(base);
  let [sent, bound] = [0, 0];
  for (let s = 0; s < sources; s++) {
    const left = Array.from({ length: experts }, (_, e) => problem.sourceLoad[(lp * sources + s) * experts + e]);
    for (let p = 0; p < slots; p++) {
      const tokens = sourceQuota[(lp * sources + s) * slots + p];
      if (tokens === 0) continue;
      const [e, g] = [physicalToLogical[p], gpuOf[p]];
      if (e < 0 || !alive[g] || tokens < 0) wrong.push(`slot ${p} has ${tokens} tokens of source ${s}`);
      const reduced = distanceOf(problem, s, g) - y(g) - potential.source[(lp * sources + s) * experts + e];
      if (!close(reduced, 0)) wrong.push(`tokens of ${s} for ${e} on ${g} at reduced cost ${reduced}`);
      left[e] -= tokens;
      load[g] += tokens;
      sent += tokens * distanceOf(problem, s, g);
    }
    for (const [e, rest] of left.entries()) {
      const lives = gpuOf.some((g, p) => physicalToLogical[p] === e && alive[g]);
      if (lives ? rest !== 0 : rest !== problem.sourceLoad[(lp * sources + s) * experts + e])
        wrong.push(`${rest} tokens of ${s} for ${e} are left`);
    }
  }
  for (let p = 0; p < slots; p++) {
    let sum = 0;
    for (let s = 0; s < sources; s++) sum += sourceQuota[(lp * sources + s) * slots + p];
    if (sum !== quota[lp * slots + p])
      wrong.push(`sources send ${sum} to slot ${p}, whose quota is ${quota[lp * slots + p]}`);
  }
  for (const { source, expert, tokens, gpus: hosts, distance } of transport.supplies) {
    const own = potential.source[(lp * sources + source) * experts + expert];
    for (const [i, g] of hosts.entries())
      if (distance[i] - own - y(g) < 0 && !close(distance[i] - own - y(g), 0))
        wrong.push(`${source} to ${g} is below 0`);
    bound += tokens * own;
  }
  for (let g = 0; g < gpus; g++) {
    if (load[g] !== gpuLoad[lp * gpus + g])
      wrong.push(`load ${load[g]} of GPU ${g} is said to be ${gpuLoad[lp * gpus + g]}`);
    if (!alive[g]) {
      if (y(g) !== 0) wrong.push(`dead GPU ${g} has a potential`);
      continue;
    }
    if (load[g] - base[g] > cap[g]) wrong.push(`GPU ${g} has ${load[g]}, beyond ${cap[g]} + ${base[g]}`);
    if (!(y(g) <= 0)) wrong.push(`potential ${y(g)} of GPU ${g}`);
    if (y(g) < 0 && load[g] - base[g] < cap[g]) wrong.push(`GPU ${g} has room and a potential`);
    bound += cap[g] * y(g);
  }
  if (!close(sent, traffic[lp])) wrong.push(`traffic ${sent} is said to be ${traffic[lp]}`);
  if (!close(bound, trafficBound[lp])) wrong.push(`the potentials prove ${bound}, not ${trafficBound[lp]}`);
  return wrong;
}

/** Solves a case, and checks all LPs. Returns how many of them there are that distances made a difference to. */
async function check(one: SourcedCase): Promise<{ answer: TrafficSolution; nearer: number; wrong: string[] }> {
  const { problem, batch, slack, kind } = one;
  const answer = await solve(one);
  const { nodes, distance, sourceLoad, ...blind } = problem;
  const plain = await solveLoadBalanceLP(blind, { backend: "cpu" });
  const wrong: string[] = [];
  let nearer = 0;
  for (let lp = 0; lp < batch; lp++) {
    const transport = transportOf(one, lp);
    const load = leastLoad(transport);
    const limit = load + slack * Math.abs(load);
    const told = (what: string) => wrong.push(`LP ${lp}: ${what}`);
    if (plain.maxLoad[lp] !== load) told(`without distances load ${plain.maxLoad[lp]}, the least is ${load}`);
    if (answer.lowerBound[lp] !== load) told(`lower bound ${answer.lowerBound[lp]}, the least is ${load}`);
    if (slack === 0 && (answer.maxLoad[lp] !== load || answer.status[lp] !== "optimal"))
      told(`${answer.status[lp]} load ${answer.maxLoad[lp]}, the least is ${load}`);
    if (Math.abs(answer.loadLimit[lp] - limit) > 1e-12 * Math.abs(limit) || answer.loadLimit[lp] < load)
      told(`limit ${answer.loadLimit[lp]}, expected ${limit}`);
    const least = leastTraffic(transport, capsOf(transport, answer.loadLimit[lp]));
    if (!isEqual(answer.traffic[lp], least, kind)) told(`traffic ${answer.traffic[lp]}, the least is ${least}`);
    if (!isEqual(answer.trafficBound[lp], least, kind))
      told(`traffic bound ${answer.trafficBound[lp]}, the least is ${least}`);
    for (const what of broken(one, answer, lp, transport)) told(what);
    if (blindTraffic(one, plain.quota, lp) > answer.traffic[lp]) nearer++;
  }
  for (const [lp, { verdict, trafficTrue, trafficBoundValid }] of certify(problem, answer).entries()) {
    const expected = answer.maxLoad[lp] === answer.lowerBound[lp] ? "optimal" : "gap";
    if (verdict !== expected || !trafficTrue || !trafficBoundValid) wrong.push(`LP ${lp}: certificate ${verdict}`);
  }
  return { answer, nearer, wrong };
}

/** The least traffic with quotas that were chosen without distances: each slot has room for its own. */
function blindTraffic(one: SourcedCase, quota: ArrayLike<number>, lp: number): number {
  const { placement } = one.problem;
  const { physicalExperts: slots, physicalToLogical, gpuOf } = placement;
  const own = Array.from({ length: slots }, (_, p) => quota[lp * slots + p]);
  const transport = transportOf(one, lp);
  const supplies = transport.supplies.map((supply) => {
    const hosts = [...gpuOf.keys()].filter((p) => physicalToLogical[p] === supply.expert && transport.alive[gpuOf[p]]);
    return { ...supply, gpus: hosts, distance: hosts.map((p) => distanceOf(one.problem, supply.source, gpuOf[p])) };
  });
  return leastTraffic({ ...transport, supplies, gpus: slots }, own);
}

test("5,000 small instances: the least load, and of that the least traffic", { timeout: 300_000 }, async () => {
  const random = seeded(21);
  const count = { nodes: 0, whole: 0, fractions: 0 };
  let [nearer, lost, dead, twice] = [0, 0, 0, 0];
  const wrong: string[] = [];
  for (let i = 0; i < 5000 / BATCH; i++) {
    const one = sourcedCase(random, BATCH, random.pick([1, 4, 12, 1000]));
    const result = await check(one);
    wrong.push(...result.wrong.map((what) => `case ${i}, ${what}`));
    count[one.kind] += BATCH;
    nearer += result.nearer;
    if (result.answer.lost.length > 0) lost += BATCH;
    if (one.problem.active?.[0] === false) dead += BATCH;
    const { gpuOf, physicalToLogical } = one.problem.placement;
    const onGpu = [...gpuOf].map((g, p) => `${g}: ${physicalToLogical[p]}`);
    if (new Set(onGpu).size < onGpu.length) twice += BATCH;
  }
  const words = `${nearer} of 5,000 have less traffic than the best of quotas chosen without distances`;
  console.log(`${words}. ${JSON.stringify({ ...count, lost, dead, twice })}`);
  expect(wrong).toEqual([]);
  expect(Math.min(nearer, lost, twice, ...Object.values(count))).toBeGreaterThan(500);
  expect(dead).toBeGreaterThan(100);
});

test("the oracle itself: HiGHS on 500 LPs, and lists of all splits of 500 tiny ones", async () => {
  const random = seeded(22);
  const cases = Array.from({ length: 500 }, () => sourcedCase(random, 1, 30));
  const lps = cases.map((one) => {
    const lp = transportOf(one, 0);
    return { lp, cap: capsOf(lp, leastLoad(lp) * (1 + one.slack)) };
  });
  for (let first = 0; first < lps.length; first += 100) {
    const part = lps.slice(first, first + 100);
    const far = part.map(({ lp, cap }) => leastTraffic(lp, cap));
    for (const [i, expected] of leastTrafficByHighs(part).entries())
      expect(Math.abs(far[i] - expected), `LP ${first + i}`).toBeLessThanOrEqual(1e-9 * (1 + expected));
  }
  let listed = 0;
  for (let i = 0; listed < 500; i++) {
    const one = sourcedCase(random, 1, 2);
    const lp = transportOf(one, 0);
    if (lp.supplies.length > 6 || lp.supplies.length < 2) continue;
    listed++;
    const cap = capsOf(lp, leastLoad(lp));
    expect(leastTraffic(lp, cap), `tiny ${i}`).toBeCloseTo(leastTrafficListed(lp, cap), 9);
    const [alive, load] = [lp.alive, leastLoad(lp)];
    // One token less of time, and some GPU or set has no room.
    const before = capsOf(lp, load - 1e-9);
    const fits = before.every((c, g) => !alive[g] || c >= 0) && leastTrafficListed(lp, before) < Infinity;
    expect(fits, `tiny ${i}: load ${load} is not the least`).toBe(false);
  }
});

test("an answer that is wrong in any one claim is rejected", async () => {
  const random = seeded(23);
  const applied = Object.fromEntries(Object.keys(faults).map((name) => [name, 0]));
  const passed: string[] = [];
  for (let i = 0; i < 150; i++) {
    const one = sourcedCase(random, BATCH, 12);
    const answer = await solve(one);
    const honest = certify(one.problem, answer).map(({ verdict }) => verdict);
    for (const [name, fault] of Object.entries(faults)) {
      const { copy, wrong } = spoiled(answer, one, random, fault);
      for (const [lp, { verdict, valid }] of certify(one.problem, copy).entries()) {
        if (!wrong[lp]) continue;
        applied[name]++;
        if (verdict !== "invalid" || valid) passed.push(`case ${i}, LP ${lp}: ${name}, ${honest[lp]} before`);
      }
    }
  }
  console.log(JSON.stringify(applied));
  expect(passed).toEqual([]);
  expect(Math.min(...Object.values(applied))).toBeGreaterThan(20);
});

test("a split of the least load that has more traffic than it must is not certified as of the least", async () => {
  const random = seeded(24);
  let tried = 0;
  for (let i = 0; i < 300; i++) {
    const one = { ...sourcedCase(random, 1, 12), slack: 0 };
    const { problem } = one;
    if (problem.active || problem.nodes === 1) continue;
    const answer = await solve(one);
    const { nodes, distance, sourceLoad, ...blind } = problem;
    const plain = await solveLoadBalanceLP(blind, { backend: "cpu" });
    // By position: as with distances that are all equal, counted with the real ones.
    const flat = Array.from({ length: one.sources }, () => new Array<number>(problem.placement.gpus).fill(3));
    const blindly = (await solve({
      ...one,
      problem: { ...problem, nodes: undefined, distance: flat },
    })) as TrafficSolution;
    expect(blindly.quota, `case ${i}`).toEqual(plain.quota);
    const { physicalExperts: slots, gpuOf } = problem.placement;
    const traffic = blindly.sourceQuota.reduce(
      (sum, tokens, j) => sum + tokens * distanceOf(problem, Math.floor(j / slots), gpuOf[j % slots]),
      0,
    );
    const more = traffic - answer.traffic[0];
    expect(more, `case ${i}`).toBeGreaterThanOrEqual(-1e-9 * traffic);
    if (more <= 1e-6 * traffic) continue;
    tried++;
    const totals = { traffic: Float64Array.of(traffic), trafficBound: Float64Array.of(traffic) };
    const { potential, loadLimit } = answer;
    for (const proof of [potential, blindly.potential]) {
      const claimed = { ...blindly, ...totals, potential: proof, loadLimit };
      expect(certify(problem, claimed)[0].trafficBoundValid, `case ${i}`).toBe(false);
    }
    const honest = { ...blindly, ...totals, trafficBound: answer.trafficBound, potential, loadLimit };
    expect(certify(problem, honest)[0], `case ${i}`).toMatchObject({ trafficTrue: true, trafficBoundValid: true });
  }
  expect(tried).toBeGreaterThan(100);
});
