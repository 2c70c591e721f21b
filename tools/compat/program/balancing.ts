/** The balancer in each of its modes. The oracle of its tests follows every id to its slot and back, and counts the quotas. */
import {
  type Balanced,
  type Balancer,
  type BalancerOptions,
  createBalancer,
  measureImbalance,
  requestDevice,
} from "evenkeel";
import { CHUNK } from "../../../src/balancer/kernels/balance_params.ts";
import { seeded } from "../../../src/common/random.ts";
import { difference } from "../../../test/helpers/arrays.ts";
import { faults } from "../../../test/helpers/balanced.ts";
import { layerPlacements, randomIds, shared, sharedFaults, sharedIds } from "../../../test/helpers/batches.ts";
import { randomSpeeds } from "../../../test/helpers/instances.ts";
import { empty, submitAndRead, upload } from "./gpu.ts";

const L = shared.placement.length;
const { logicalExperts: E, physicalExperts: P, gpus: G } = shared.placement[0];
const TOKENS = [shared.maxTokens, 41, 1, 0];

/** Returns how many batches it balanced. */
type Mode = (device: GPUDevice, fail: (what: string) => void) => Promise<number>;

/** Balances batches of several sizes, with padding and ids out of range in them, and judges each. */
async function balanceAll(options: Partial<BalancerOptions>, device: GPUDevice, fail: (what: string) => void) {
  const balancer = await createBalancer({ ...shared, ...options, device });
  const answers: Balanced[] = [];
  for (const [i, tokens] of TOKENS.entries()) {
    const ids = sharedIds(320 + i, tokens, 0.1);
    const given = i % 2 === 0 ? ids : new Uint32Array(ids.buffer);
    const balanced = await balancer.balance(given);
    if (balanced.backend !== "webgpu") fail(`answered by ${balanced.backend}: ${balancer.reason}`);
    if (tokens > 40 && !balanced.outOfRange.every((ids) => ids > 0)) fail("no id out of range was counted");
    for (const fault of sharedFaults(given, balanced)) fail(`${tokens} tokens: ${fault}`);
    answers.push(balanced);
  }
  const metrics = balancer.metrics();
  balancer.destroy();
  return { answers, metrics };
}

const expectStatus = (answers: Balanced[], status: string, fail: (what: string) => void) => {
  if (!answers.some((balanced) => balanced.status.includes(status as "late"))) fail(`no layer is ${status}`);
};

const modes: Record<string, Mode> = {
  async balance(device, fail) {
    const { answers } = await balanceAll({}, device, fail);
    expectStatus(answers, "optimal", fail);
    return answers.length;
  },

  async "unequal speeds"(device, fail) {
    return (await balanceAll({ speed: randomSpeeds(seeded(321), G) }, device, fail)).answers.length;
  },

  async late(device, fail) {
    const { answers } = await balanceAll({ late: true }, device, fail);
    expectStatus(answers, "late", fail);
    return answers.length;
  },

  async skipBelow(device, fail) {
    const { answers } = await balanceAll({ skipBelow: 1.4 }, device, fail);
    for (const status of ["skipped", "optimal"]) expectStatus(answers, status, fail);
    return answers.length;
  },

  async timestamps(device, fail) {
    const { answers, metrics } = await balanceAll({ timestamps: true }, device, fail);
    const timed = device.features.has("timestamp-query") ? answers.length : 0;
    if (metrics.timed !== timed) fail(`${metrics.timed} calls timed, expected ${timed}`);
    return answers.length;
  },

  async "one placement, 5 layers"(device, fail) {
    const [placement] = shared.placement;
    const balancer = await createBalancer({ ...shared, placement, layers: 5, device });
    const ids = randomIds(seeded(322), 5, 100 * shared.topK, E);
    for (const fault of faults({ placements: [placement], layers: 5, ids }, await balancer.balance(ids))) fail(fault);
    balancer.destroy();
    return 1;
  },

  /** More ids than one workgroup walks, more experts than a wide block of `remap` takes, two words of proof. */
  async "257 experts on 64 GPUs"(device, fail) {
    const placement = layerPlacements(seeded(323), 2, 257, 64);
    const ids = randomIds(seeded(324), 2, 2 * CHUNK + 8, 257);
    const balancer = await createBalancer({ placement, topK: 8, maxTokens: ids.length / 16, device });
    for (const fault of faults({ placements: placement, layers: 2, ids }, await balancer.balance(ids))) fail(fault);
    balancer.destroy();
    return 1;
  },

  /** Quotas of least traffic, filled by source: whose kernels others do not need. */
  async "near replicas"(device, fail) {
    const near = await createBalancer({ ...shared, nodes: 2, device });
    const exact = await createBalancer({ ...shared, nodes: 2, backend: "cpu" });
    for (const [i, tokens] of TOKENS.entries()) {
      const ids = sharedIds(350 + i, tokens, 0.1);
      const [balanced, expected] = [await near.balance(ids), await exact.balance(ids)];
      if (balanced.backend !== "webgpu") fail(`answered by ${balanced.backend}: ${near.reason}`);
      for (const [name, traffic] of Object.entries({ is: balanced.traffic!, proven: balanced.trafficBound! })) {
        if (traffic.some((sum, l) => sum !== expected.traffic![l]))
          fail(`${tokens} tokens: traffic ${name} ${traffic}`);
      }
      const filled = new Int32Array(L * P);
      for (const [k, slot] of balanced.physicalIds.entries()) {
        if (slot >= 0) filled[Math.floor(k / (tokens * shared.topK)) * P + slot]++;
      }
      const wrong = difference(filled, balanced.quota);
      if (wrong) fail(`${tokens} tokens: slots are not filled: ${wrong}`);
    }
    for (const one of [near, exact]) one.destroy();
    return TOKENS.length;
  },

  async ranks(device, fail) {
    const sizes = [300, 0, 17, 150];
    const balancers: Balancer[] = [];
    for (const _ of sizes) balancers.push(await createBalancer({ ...shared, device }));
    const ids = sizes.map((tokens, r) => sharedIds(330 + r, tokens));
    const total = new Int32Array(L * E);
    const before = balancers.map((balancer, r) => {
      const sum = total.slice();
      for (const [i, tokens] of balancer.count(ids[r]).entries()) total[i] += tokens;
      return sum;
    });
    const answers: Balanced[] = [];
    for (const [r, balancer] of balancers.entries()) {
      const rank = { counts: total, before: before[r] };
      answers.push(await balancer.balance(ids[r], rank));
      for (const fault of sharedFaults(ids[r], answers[r], rank)) fail(`rank ${r}: ${fault}`);
      balancer.destroy();
    }
    const received = new Int32Array(L * P);
    for (const { physicalIds } of answers) {
      for (const [i, slot] of physicalIds.entries()) {
        if (slot >= 0) received[Math.floor((i * L) / physicalIds.length) * P + slot]++;
      }
    }
    const wrong = difference(received, answers[0].quota);
    if (wrong) fail(`tokens of all ranks together: ${wrong}`);
    return sizes.length;
  },

  async encode(device, fail) {
    const balancer = await createBalancer({ ...shared, device });
    const batches = TOKENS.slice(0, 3).map((tokens, i) => sharedIds(340 + i, tokens, 0.1));
    const earlier = balancer.count(sharedIds(344, 200));
    const encoded = batches.map((ids, i) =>
      buffersFor(device, ids, i === 1 ? { earlier, own: balancer.count(ids) } : undefined),
    );
    for (const { buffers } of encoded) await balancer.checkBuffers(buffers);
    const read = await submitAndRead(
      device,
      (encoder) => {
        for (const { buffers } of encoded) balancer.encode(encoder, buffers);
      },
      encoded.flatMap(({ outputs }) => outputs),
    );
    for (const [i, ids] of batches.entries()) {
      const expected = await balancer.balance(ids, encoded[i].rank);
      for (const fault of sharedFaults(ids, expected, encoded[i].rank)) fail(`balance: ${fault}`);
      const [physicalIds, quota, outOfRange, proof, shares] = read.slice(5 * i, 5 * i + 5);
      const wrong = {
        "physical id": difference(physicalIds.subarray(0, ids.length), expected.physicalIds),
        quota: difference(quota, expected.quota),
        "out of range": difference(outOfRange, expected.outOfRange),
        status: difference(
          [0, 1, 2].map((l) => proof[l * PROOF_WORDS]),
          [0, 0, 0],
        ),
        shares: farthest(new Float32Array(shares.buffer), expected.shares()),
      };
      for (const [what, found] of Object.entries(wrong)) if (found) fail(`${what}${found}`);
    }
    balancer.destroy();
    return batches.length;
  },

  async recover(_, fail) {
    const { device } = await requestDevice();
    const balancer = await createBalancer({ ...shared, backend: "webgpu", device, recover: true });
    const ids = sharedIds(350, 100);
    for (const fault of sharedFaults(ids, await balancer.balance(ids))) fail(fault);
    device.destroy();
    await device.lost;
    const balanced = await balancer.balance(ids);
    for (const fault of sharedFaults(ids, balanced)) fail(`recovered: ${fault}`);
    if (balanced.backend !== "webgpu" || balancer.metrics().recoveries !== 1) fail(`not recovered: ${balancer.reason}`);
    balancer.destroy();
    return 2;
  },
};

/** Batches balanced in each mode. */
export async function balanceInEveryMode(
  device: GPUDevice,
  fail: (what: string) => void,
): Promise<Record<string, number>> {
  const batches: Record<string, number> = {};
  for (const [name, mode] of Object.entries(modes)) {
    try {
      batches[name] = await mode(device, (what) => fail(`${name}: ${what}`));
    } catch (error) {
      fail(`${name}: ${error}`);
    }
  }
  return batches;
}

const PROOF_WORDS = 3 + Math.ceil(G / 32);

/** Buffers for a batch, and what is to be read of them. */
function buffersFor(device: GPUDevice, ids: Int32Array, counts: { earlier: Int32Array; own: Int32Array } | undefined) {
  const width = Math.max(...shared.placement.map(({ maxReplicas }) => maxReplicas));
  const lengths = [ids.length, L * P, L, L * PROOF_WORDS, L * E * width];
  const outputs = lengths.map((words) => empty(device, words));
  const [physicalIds, quota, outOfRange, proof, shares] = outputs;
  const rank = counts && { counts: counts.own.map((own, i) => own + counts.earlier[i]), before: counts.earlier };
  const rankCounts = rank && { counts: upload(device, rank.counts), before: upload(device, rank.before) };
  const tokens = ids.length / (L * shared.topK);
  const inputs = { tokens, topkIds: upload(device, ids), rankCounts };
  return { rank, outputs, buffers: { ...inputs, physicalIds, quota, outOfRange, proof, shares } };
}

/** f32 divisions of WGSL are good to 2.5 units in the last place. */
function farthest(found: Float32Array, expected: Float32Array): string | undefined {
  const worst = expected.reduce((most, share, i) => Math.max(most, Math.abs(share - found[i])), 0);
  return worst <= 4 * 2 ** -23 ? undefined : ` differs by ${worst}`;
}

/** The reports of WebGPU and of the CPU on the same ids, counts and quotas.  @returns how many layers were measured. */
export async function measureOnBoth(device: GPUDevice, fail: (what: string) => void): Promise<number> {
  const ids = sharedIds(360, 300, 0.1);
  const counts = new Int32Array(L * E).map((_, i) => (i * 7919) % 501);
  const { placement, topK } = shared;
  let layers = 0;
  for (const input of [
    { placement, topkIds: ids, topK },
    { placement, topkIds: new Int32Array(0), topK },
    { placement, counts },
    { placement, counts, cost: { model: "roofline", perExpert: 6.3, perToken: 0.035, tile: 16 } as const },
  ]) {
    const gpu = await measureImbalance(input, { backend: "webgpu", device });
    const cpu = await measureImbalance(input, { backend: "cpu" });
    type Figures = Record<string, Int32Array | Float64Array>; // traffic is of tokens with sources
    for (const [name, expected] of Object.entries(cpu as unknown as Figures)) {
      const found = (gpu as unknown as Figures)[name];
      const near = (i: number) => Math.abs(found[i] - expected[i]) <= 1e-5 * Math.max(1, Math.abs(expected[i]));
      const wrong = expected.findIndex((_: number, i: number) => !near(i));
      if (found.length !== expected.length || wrong >= 0)
        fail(`${name}[${wrong}]: ${found[wrong]}, not ${expected[wrong]}`);
    }
    layers += gpu.max.length;
  }
  return layers;
}
