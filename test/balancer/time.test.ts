/** Balancers that balance time: every mode of theirs, against the solver layer by layer and times recomputed slot by slot. */
import { afterAll, describe, expect, test } from "vitest";
import {
  type Balanced,
  type Balancer,
  type BalancerOptions,
  certify,
  createBalancer,
  type ExpertCost,
  type ImbalanceReport,
  measureImbalance,
  type ReplicaProblem,
  solveLoadBalanceLP,
} from "../../src/index.ts";
import { difference, rowOf } from "../helpers/arrays.ts";
import { shared, sharedIds } from "../helpers/batches.ts";
import { costOf } from "../helpers/timed_problems.ts";
import { bufferOf, device, E, G, L, P, read } from "./caller_buffers.ts";

const ids = sharedIds(615, 24);
const costs: Record<string, ExpertCost> = {
  roofline: { model: "roofline", perExpert: 6.3, perToken: 0.35 },
  activated: { model: "roofline", perExpert: 6.3, perToken: 0 },
  tiles: { model: "affine", perExpert: 0, perToken: 0.35, tile: 4 },
  measured: { tokens: [1, 8, 16, 64], time: [6.3, 6.9, 8.3, 18.8] },
};
const exact = ["activated", "tiles"];
const baseLoad = Array.from({ length: L }, (_, l) => Array.from({ length: G }, (__, g) => 0.75 * ((3 * g + l) % 7)));
const speed = [1, 1, 2, 1, 1, 0.5, 1, 1];
const active = [1, 1, 1, 0, 1, 1, 1, 1];

const made: Balancer[] = [];
async function create(options: Partial<BalancerOptions>): Promise<Balancer> {
  const balancer = await createBalancer({ ...shared, ...(options.backend === "webgpu" && { device }), ...options });
  made.push(balancer);
  return balancer;
}
afterAll(() => {
  for (const balancer of made) balancer.destroy();
});

/** A layer as a problem of its own. */
function problemOf(
  l: number,
  { counts }: Balanced,
  cost: ExpertCost,
  more: Omit<ReplicaProblem, "placement" | "expertLoad">,
) {
  return { placement: shared.placement[l], expertLoad: [...rowOf(counts, l, E)], cost, ...more };
}

/** f64 or f32 sums of some ten terms. */
const near = (a: number, b: number) => Math.abs(a - b) <= 1e-5 * Math.max(1, Math.abs(b));

/** Holds a report's times against what quotas give. */
function expectTimes(report: ImbalanceReport, quota: Int32Array, cost: ExpertCost, { speed, baseLoad, active }: Told) {
  const c = costOf(cost);
  for (let l = 0; l < L; l++) {
    const { gpuOf } = shared.placement[l];
    const time = Array.from({ length: G }, (_, g) => (active?.[g] === 0 ? 0 : (baseLoad?.[l][g] ?? 0)));
    for (const [p, tokens] of rowOf(quota, l, P).entries()) time[gpuOf[p]] += c(tokens);
    const done = time.map((at, g) => at / (speed?.[g] ?? 1)).filter((_, g) => active?.[g] !== 0);
    const max = Math.max(...done);
    const mean = done.reduce((a, b) => a + b) / done.length;
    expect(near(report.maxTime![l], max), `max ${report.maxTime![l]}, not ${max}`).toBe(true);
    expect(near(report.timeImbalance![l], mean > 0 ? max / mean : 1)).toBe(true);
    for (let g = 0; g < G; g++) expect(near(report.time![l * G + g], time[g] / (speed?.[g] ?? 1))).toBe(true);
  }
}

interface Told {
  speed?: number[];
  baseLoad?: number[][];
  active?: number[];
}

/** Every id comes to a slot of its own expert, and every slot to its quota. */
function expectFollowed({ physicalIds, quota }: Balanced, given: Int32Array): void {
  const received = new Int32Array(L * P);
  const perLayer = given.length / L;
  for (const [i, slot] of physicalIds.entries()) {
    if (slot < 0) continue;
    const l = Math.floor(i / perLayer);
    expect(shared.placement[l].physicalToLogical[slot]).toBe(given[i]);
    received[l * P + slot]++;
  }
  expect(difference(received, quota)).toBeUndefined();
}

describe.each(["cpu", "webgpu"] as const)("on %s", (backend) => {
  test.each(Object.keys(costs))(
    "each layer is as the solver has it, and certified; by a cost that is %s",
    async (name) => {
      const cost = costs[name];
      for (const told of [{}, { baseLoad }, { speed }, { active }, { speed, baseLoad, active }] as Told[]) {
        const balancer = await create({ backend, cost, ...told });
        const balanced = await balancer.balance(ids);
        expect(balancer.plan.kernel).toBe(backend === "cpu" ? "cpu" : "time");
        expectFollowed(balanced, ids);
        expectTimes(balanced.after, balanced.quota, cost, told);
        for (let l = 0; l < L; l++) {
          const problem = problemOf(l, balanced, cost, { ...told, baseLoad: told.baseLoad?.[l] });
          const alone = await solveLoadBalanceLP(problem, { backend: "cpu" });
          const best = alone.maxTime[0];
          if (exact.includes(name)) expect(near(balanced.after.maxTime![l], best)).toBe(true);
          else expect(balanced.after.maxTime![l]).toBeLessThan(1.03 * best);
          const { problem: asked, solution } = balanced.proof(l);
          expect(certify(asked, solution)[0].valid).toBe(true);
          expect(asked.cost).toBeDefined();
          expect([solution.timeBound![0], solution.timeGap![0]]).toEqual([
            balanced.timeBound![l],
            balanced.timeGap![l],
          ]);
          expect(balanced.status[l]).toBe(balanced.timeGap![l] <= 1e-9 ? "optimal" : "gap");
          expect(balanced.timeBound![l]).toBeLessThanOrEqual(best * (1 + 1e-9));
        }
      }
    },
  );

  test("the even split is told in time, and kept where that is even enough", async () => {
    const cost = costs.roofline;
    const plain = await (await create({ backend, cost })).balance(ids);
    const even = await measureImbalance({ placement: shared.placement, counts: plain.counts, cost }, { backend });
    for (const name of ["time", "maxTime", "timeImbalance"] as const) {
      for (const [i, value] of even[name]!.entries()) expect(near(plain.before[name]![i], value)).toBe(true);
    }
    const ratios = plain.before.timeImbalance!;
    const skipBelow = (Math.min(...ratios) + Math.max(...ratios)) / 2; // some layers are below, some not
    const some = await (await create({ backend, cost, skipBelow })).balance(ids);
    expect([1, 2]).toContain(some.status.filter((one) => one === "skipped").length);
    for (const [l, one] of some.status.entries()) {
      expect(one === "skipped").toBe(plain.before.timeImbalance![l] < skipBelow);
      if (one !== "skipped") continue;
      expect(near(some.after.maxTime![l], plain.before.maxTime![l])).toBe(true);
      expect(some.timeBound![l]).toBeLessThanOrEqual(plain.after.maxTime![l] * (1 + 1e-6));
      const { problem, solution } = some.proof(l);
      expect(certify(problem, solution)[0].valid).toBe(true);
    }
  });

  test("late, the last batch's quotas are scaled to this one", async () => {
    const balancer = await create({ backend, cost: costs.activated, late: true });
    const first = await balancer.balance(ids);
    const second = await balancer.balance(ids);
    expect(second.status).toEqual(["late", "late", "late"]);
    const now = await (await create({ backend, cost: costs.activated })).balance(ids);
    for (let l = 0; l < L; l++) {
      expect(near(first.after.maxTime![l], first.before.maxTime![l])).toBe(true); // nothing to go by yet
      expect(near(second.after.maxTime![l], now.after.maxTime![l])).toBe(true);
    }
    expectFollowed(second, ids);
  });

  test("base loads of a batch take the place of the option's, and GPUs that die are left out", async () => {
    const cost = costs.roofline;
    const balancer = await create({ backend, cost, baseLoad });
    const other = baseLoad.map((row) => row.map((time) => 10 - time));
    expectTimes((await balancer.balance(ids)).after, (await balancer.balance(ids)).quota, cost, { baseLoad });
    const told = await balancer.balance(ids, { baseLoad: other });
    expectTimes(told.after, told.quota, cost, { baseLoad: other });
    await balancer.setActive(active);
    const left = await balancer.balance(ids);
    expectTimes(left.after, left.quota, cost, { baseLoad, active });
    expectFollowed(left, ids);
    const alone = await (await create({ backend, cost, baseLoad, active })).balance(ids);
    expect(difference(left.quota, alone.quota)).toBeUndefined();
  });

  test("ranks meet the same quotas together", async () => {
    const cost = costs.measured;
    const balancer = await create({ backend, cost });
    const perLayer = ids.length / L;
    const half = perLayer / 2;
    const part = (rank: number) =>
      Int32Array.from({ length: L * half }, (_, i) => ids[Math.floor(i / half) * perLayer + rank * half + (i % half)]);
    const counts = [part(0), part(1)].map((own) => balancer.count(own));
    const total = counts[0].map((tokens, i) => tokens + counts[1][i]);
    const whole = await balancer.balance(ids);
    const received = new Int32Array(L * P);
    for (const rank of [0, 1]) {
      const before = rank === 0 ? new Int32Array(L * E) : counts[0];
      const { quota, physicalIds } = await balancer.balance(part(rank), { counts: total, before });
      expect(difference(quota, whole.quota)).toBeUndefined();
      for (const [i, slot] of physicalIds.entries()) if (slot >= 0) received[Math.floor(i / half) * P + slot]++;
    }
    expect(difference(received, whole.quota)).toBeUndefined();
  });
});

test.each(Object.keys(costs))(
  "encode has what balance has, base loads in a buffer; by a cost that is %s",
  async (name) => {
    const cost = costs[name];
    const balancer = await create({ backend: "webgpu", cost, baseLoad });
    const other = baseLoad.map((row) => row.map((time) => 8 - time));
    for (const rows of [undefined, other]) {
      const expected = await balancer.balance(ids, rows && { baseLoad: rows });
      const [physicalIds, quota, proof] = [bufferOf(ids.map(() => -7)), bufferOf(L * P), bufferOf(L * 4)];
      const times = rows && bufferOf(new Int32Array(Float32Array.from(rows.flat()).buffer));
      const buffers = {
        tokens: 24,
        topkIds: bufferOf(ids),
        physicalIds,
        quota,
        proof,
        ...(times && { baseLoad: times }),
      };
      await balancer.checkBuffers(buffers);
      const encoder = device.createCommandEncoder();
      balancer.encode(encoder, buffers);
      device.queue.submit([encoder.finish()]);
      expect(difference(await read(quota), expected.quota)).toBeUndefined();
      expect(difference(await read(physicalIds), expected.physicalIds)).toBeUndefined();
      const status = (await read(proof)).filter((_, i) => i % 4 === 0);
      if (exact.includes(name)) expect([...status]).toEqual([0, 0, 0]);
    }
  },
);

test("measureImbalance tells times on both backends, of quotas and of ids, with speeds", async () => {
  const cost = costs.measured;
  const { quota, counts } = await (await create({ backend: "cpu", cost, speed })).balance(ids);
  for (const backend of ["cpu", "webgpu"] as const) {
    const given = { placement: shared.placement, cost, speed };
    const report = await measureImbalance({ ...given, counts, quota }, { backend });
    expectTimes(report, quota, cost, { speed });
    const even = await measureImbalance({ ...given, topkIds: ids, topK: shared.topK, layers: L }, { backend });
    expect(even.maxTime!.every((time, l) => time >= report.maxTime![l] * (1 - 1e-5))).toBe(true);
    const untimed = await measureImbalance({ placement: shared.placement, counts }, { backend });
    expect(untimed.time).toBeUndefined();
  }
});
