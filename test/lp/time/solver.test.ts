/** Solvers of time: buffers of the caller's, batches, backends, large topologies. Small answers are held against brute force elsewhere. */
import { describe, expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import {
  certify,
  createSolver,
  type ExpertCost,
  Placement,
  requestDevice,
  solveLoadBalanceLP,
} from "../../../src/index.ts";
import { toTopology } from "../../../src/lp/forms.ts";
import { judge } from "../../../src/lp/solution.ts";
import { difference } from "../../helpers/arrays.ts";
import { families, randomPlacement, randomSpeeds } from "../../helpers/instances.ts";

const random = seeded(41);
const placement = randomPlacement(random, 8, 5, 8, 4);
const { logicalExperts, physicalExperts, gpus } = placement;
const batch = 12;
const expertLoad = Int32Array.from(
  Array.from({ length: batch }, () => families.zipf(random, logicalExperts, gpus)).flat(),
);
const baseLoad = Float32Array.from({ length: batch * gpus }, () => 20 * random.next());
const costs: Record<string, ExpertCost> = {
  activated: { model: "roofline", perExpert: 6.3, perToken: 0 },
  roofline: { model: "roofline", perExpert: 60, perToken: 0.035 },
  measured: { tokens: [1, 512, 2048], time: [6.3, 18.8, 72.3] },
};
const { device } = await requestDevice();

function upload(data: Int32Array | Float32Array): GPUBuffer {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ size: data.byteLength, usage });
  device.queue.writeBuffer(buffer, 0, data as Int32Array<ArrayBuffer>);
  return buffer;
}

const output = (words: number) =>
  device.createBuffer({ size: 4 * words, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });

async function read(buffer: GPUBuffer, encoder: GPUCommandEncoder): Promise<Int32Array> {
  const target = device.createBuffer({ size: buffer.size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  encoder.copyBufferToBuffer(buffer, 0, target, 0, buffer.size);
  device.queue.submit([encoder.finish()]);
  await target.mapAsync(GPUMapMode.READ);
  return new Int32Array(target.getMappedRange().slice(0));
}

describe.each(Object.keys(costs))("by a cost that is %s", (name) => {
  const cost = costs[name];

  test.each([false, true])("encode leaves what solve answers, raw; base loads in f32: %s", async (based) => {
    const solver = await createSolver(placement, { backend: "webgpu", device, cost });
    expect(solver.plan.kernel).toBe("time");
    const loads = { expertLoad, ...(based && { baseLoad }) };
    const expected = await solver.solve(loads);
    const buffers = {
      ...{ batch, expertLoad: upload(expertLoad), quota: output(batch * physicalExperts), proof: output(4 * batch) },
      ...(based && { baseLoad: upload(baseLoad) }),
    };
    await solver.checkBuffers(buffers);
    const encoder = device.createCommandEncoder();
    solver.encode(encoder, buffers);
    const quota = await read(buffers.quota, encoder);
    expect(difference(quota, expected.quota)).toBeUndefined();
    if (name === "activated") {
      const status = (await read(buffers.proof, device.createCommandEncoder())).filter((_, i) => i % 4 === 0);
      expect([...status]).toEqual(new Array(batch).fill(0));
    }
    solver.destroy();
  });

  test("every backend is certified, and never worse than tokens balanced or split evenly", async () => {
    for (const speed of [undefined, randomSpeeds(seeded(2), gpus)]) {
      const problem = { placement, expertLoad, cost, ...(speed && { speed }) };
      const topology = toTopology(placement, speed, undefined, cost);
      const timesOf = (quota: Int32Array) => {
        const member = new Uint8Array(batch * gpus).fill(1);
        const raw = { quota, member, iterations: new Int32Array(batch), moves: new Int32Array(batch) };
        const { judged, judgeOne } = judge(
          topology,
          { batch, tokens: "integer", expertLoad, baseLoad: undefined },
          raw,
        );
        for (let lp = 0; lp < batch; lp++) judgeOne(lp);
        return judged.maxTime!;
      };
      const byTokens = await solveLoadBalanceLP({ placement, expertLoad, ...(speed && { speed }) }, { backend: "cpu" });
      const even = Int32Array.from({ length: batch * physicalExperts }, (_, i) => {
        const [lp, p] = [Math.floor(i / physicalExperts), i % physicalExperts];
        const e = placement.physicalToLogical[p];
        const before = placement.physicalToLogical.slice(0, p).filter((other) => other === e).length;
        const [tokens, copies] = [expertLoad[lp * logicalExperts + e], placement.replicaCount[e]];
        return Math.floor(tokens / copies) + (before < tokens % copies ? 1 : 0);
      });
      const others = [timesOf(byTokens.quota as Int32Array), timesOf(even)];
      for (const backend of ["cpu", "webgpu", "auto"] as const) {
        const solution = await solveLoadBalanceLP(problem, { backend });
        for (const [lp, { valid }] of certify(problem, solution).entries()) {
          expect(valid).toBe(true);
          for (const other of others) expect(solution.maxTime[lp]).toBeLessThanOrEqual(other[lp] * (1 + 1e-9));
        }
      }
    }
  });
});

test("the same call is answered the same, in a batch and alone", async () => {
  for (const backend of ["cpu", "webgpu"] as const) {
    const solver = await createSolver(placement, { backend, device, cost: costs.measured });
    const first = await solver.solve({ expertLoad });
    const again = await solver.solve({ expertLoad });
    expect(difference(first.quota, again.quota)).toBeUndefined();
    for (const lp of [0, batch - 1]) {
      const row = expertLoad.subarray(lp * logicalExperts, (lp + 1) * logicalExperts);
      const { quota } = await solver.solve({ expertLoad: row });
      expect([...quota]).toEqual([...first.quota.subarray(lp * physicalExperts, (lp + 1) * physicalExperts)]);
    }
    solver.destroy();
  }
});

test("more GPUs than lane takes, and lost experts", async () => {
  const large = randomPlacement(seeded(3), 72, 3, 72, 3);
  const active = Array.from({ length: 72 }, (_, g) => g % 9 !== 4);
  const loads = families.zipf(seeded(4), large.logicalExperts, 72);
  for (const cost of [costs.activated, costs.roofline]) {
    const problem = { placement: large, expertLoad: loads, cost, active };
    const cpu = await solveLoadBalanceLP(problem, { backend: "cpu" });
    const gpu = await solveLoadBalanceLP(problem, { backend: "webgpu" });
    expect(cpu.lost.length).toBeGreaterThan(0);
    expect(gpu.maxTime[0]).toBeLessThanOrEqual(cpu.maxTime[0] * 1.02);
    for (const solution of [cpu, gpu]) expect(certify(problem, solution)[0].valid).toBe(true);
    if (cost === costs.activated) expect([cpu.status[0], gpu.status[0]]).toEqual(["optimal", "optimal"]);
  }
});

test.each(["cpu", "webgpu"] as const)(
  "more slots of an expert on one GPU than there are GPUs, on %s",
  async (backend) => {
    const rows = [new Array(9).fill(1), [0, 1], [0], [1]];
    const slots = rows.map((row) => [...row, ...new Array(9 - row.length).fill(-1)]);
    const problem = {
      placement: { gpus: 4, physicalToLogical: slots.flat() },
      expertLoad: [2, 3],
      baseLoad: [1, 0.5, 0.5, 0.75],
      cost: { model: "roofline", perExpert: 1, perToken: 0 } as const,
    };
    const { status, maxTime, finishedOnCpu } = await solveLoadBalanceLP(problem, { backend });
    expect({ status, maxTime: maxTime[0], finishedOnCpu }).toEqual({
      status: ["optimal"],
      maxTime: 1.5,
      finishedOnCpu: 0,
    });
  },
);

test("costs that vanish beside base loads end, too", async () => {
  const two = Placement.fromPhysicalToLogical([0, 1, 1, 2], { gpus: 2 });
  for (const perExpert of [1e-20, 1e-30]) {
    for (const base of [
      [1, 0.5],
      [1, 1],
      [0.1, 1e30],
    ]) {
      const cost = { model: "roofline", perExpert, perToken: 0 } as const;
      const problem = { placement: two, expertLoad: [5, 10, 3], baseLoad: base, speed: [1, 3], cost };
      const solution = await solveLoadBalanceLP(problem, { backend: "cpu" });
      expect(solution.maxTime[0]).toBe(Math.max(base[0], base[1] / 3));
      expect(certify(problem, solution)[0].verdict).toBe("optimal");
    }
  }
});

test("no load, and nothing but base loads", async () => {
  const two = Placement.fromPhysicalToLogical([0, 1, 0, 2], { gpus: 2 });
  for (const backend of ["cpu", "webgpu"] as const) {
    for (const base of [undefined, [3.5, 1], [-2.5, -4]]) {
      const problem = { placement: two, expertLoad: [0, 0, 0], cost: costs.roofline, ...(base && { baseLoad: base }) };
      const solution = await solveLoadBalanceLP(problem, { backend });
      expect(solution.maxTime[0]).toBe(base ? base[0] : 0);
      expect([solution.timeGap[0], solution.status[0]]).toEqual([0, "optimal"]);
      expect(certify(problem, solution)[0]).toMatchObject({ valid: true, verdict: "optimal" });
    }
  }
});

test("a spoiled claim is not certified", async () => {
  const problem = { placement, expertLoad: expertLoad.subarray(0, logicalExperts), cost: costs.roofline };
  const good = await solveLoadBalanceLP(problem, { backend: "cpu" });
  const [bound, gap] = [good.timeBound[0], good.timeGap[0]];
  const raised = bound * (1 + 1e-6);
  const spoiled = [
    { timeBound: Float64Array.of(raised), timeGap: Float64Array.of((good.maxTime[0] - raised) / good.maxTime[0]) },
    { timeBound: Float64Array.of(Number.NaN) },
    { timeGap: Float64Array.of(gap + 0.25) },
    { maxTime: Float64Array.of(good.maxTime[0] * (1 - 1e-6)) },
    { time: good.time.map((time, g) => (g === 2 ? time * 1.001 : time)) },
    { timeProof: [{ rule: "units" as const }] },
    { timeProof: [{ rule: "units" as const, unit: 120 }] }, // twice c(1)
    { timeProof: [{ rule: "prayer" as "work" }] },
    { bottleneck: [good.bottleneck[0].slice(1)] },
    { status: [good.status[0] === "gap" ? ("optimal" as const) : ("gap" as const)] },
  ];
  for (const [i, part] of spoiled.entries()) {
    expect(certify(problem, { ...good, ...part })[0].valid, `claim ${i}`).toBe(false);
  }
  expect(certify(problem, good)[0].valid).toBe(true);
});
