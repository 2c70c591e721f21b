/** A GPU dies in the middle of a replay and comes back: nothing goes to it meanwhile, and all else is as exact as before. */
import { describe, expect, test } from "vitest";
import { seeded } from "../../src/common/random.ts";
import { ArgumentError, createBalancer, DeviceError, Placement, requestDevice } from "../../src/index.ts";
import { difference, rowOf } from "../helpers/arrays.ts";
import { randomIds, shared, sharedFaults, sharedIds, unevenPlacements } from "../helpers/batches.ts";
import { type AskedOfSome, livingFaults } from "../helpers/crew.ts";
import { randomSpeeds } from "../helpers/instances.ts";

const { device } = await requestDevice();
const [L, E, P, G] = [3, 32, shared.placement[0].physicalExperts, 8];
const all = new Array<boolean>(G).fill(true);
const without = (...dead: number[]) => all.map((_, g) => !dead.includes(g));

/** Who is alive at each batch: one dies, another with it, one comes back, then all are there again. */
const replay = [all, all, without(3), without(3), without(3, 6), without(6), without(6), all, all];

/** [L][G], a third of it 0. */
const baseLoads = Array.from({ length: L }, (_, l) => all.map((__, g) => ((g + l) % 3) * (40 * l + 25)));

describe.each(["webgpu", "cpu"] as const)("on %s", (backend) => {
  const options = { ...shared, backend, device };

  test.each([
    ["as it is", {}],
    ["skipping layers", { skipBelow: 1.3 }],
    ["late", { late: true }],
    ["at unequal speeds", { speed: randomSpeeds(seeded(401), G) }],
    ["with base loads", { baseLoad: baseLoads }],
    ["late, with base loads", { late: true, baseLoad: baseLoads }],
  ])("a replay in which GPUs die and come back, %s", async (_, extra) => {
    const balancer = await createBalancer({ ...options, ...extra });
    const { plan } = balancer;
    let [batches, unserved, lost, layers] = [0, 0, 0, 0];
    for (const [i, active] of replay.entries()) {
      if (active !== replay[i - 1]) await balancer.setActive(active);
      const ids = sharedIds(410 + i);
      const balanced = await balancer.balance(ids);
      const asked: AskedOfSome = { placements: shared.placement, layers: L, ids, active };
      expect(await livingFaults({ ...asked, ...extra }, balanced), `batch ${i}`).toEqual([]);
      if (active === all) expect(balanced.lost.flat()).toEqual([]);
      batches++;
      layers += L;
      unserved += balanced.unserved.reduce((a, b) => a + b);
      lost += balanced.lost.flat().length;
      const metrics = balancer.metrics();
      expect(metrics).toMatchObject({ batches, unserved, finishedOnCpu: expect.any(Number) });
      expect(metrics.solves + metrics.skipped).toBe(layers);
      expect(metrics.imbalanceAfter.count).toBe(layers);
    }
    expect(lost).toBeGreaterThan(20);
    expect(unserved).toBeGreaterThan(100);
    expect(balancer.plan).toEqual(plan);
    balancer.destroy();
  });

  test("after all are back, it answers as one that never heard of it", async () => {
    const ids = sharedIds(430);
    const one = await createBalancer(options);
    const other = await createBalancer(options);
    await one.setActive(without(0, 1, 2));
    await one.balance(ids);
    await one.setActive(all);
    const [a, b] = [await one.balance(ids), await other.balance(ids)];
    expect(difference(a.physicalIds, b.physicalIds)).toBeUndefined();
    expect(a.after).toEqual(b.after);
    expect(sharedFaults(ids, a)).toEqual([]);
    one.destroy();
    other.destroy();
  });

  test("late: what a GPU had before it died does not come back with it", async () => {
    const balancer = await createBalancer({ ...options, late: true });
    // Expert 0 and its copy alone.
    const ids = new Int32Array(L * shared.maxTokens * shared.topK).fill(-1);
    const [placement] = shared.placement;
    const e = placement.replicaCount.indexOf(2);
    rowOf(ids, 0, ids.length / L).fill(e);
    await balancer.balance(ids);
    const [, second] = placement.logicalToPhysical.subarray(e * placement.maxReplicas);
    await balancer.setActive(without(placement.gpuOf[second]));
    await balancer.setActive(all);
    const { quota } = await balancer.balance(ids);
    expect(quota[second]).toBe(0); // its share is learnt anew
    expect((await balancer.balance(ids)).quota[second]).toBeGreaterThan(0);
    balancer.destroy();
  });

  test("a call under way is answered for the GPUs before, the next for those after", async () => {
    const balancer = await createBalancer(options);
    const ids = sharedIds(440);
    const under = balancer.balance(ids);
    const set = balancer.setActive(without(2));
    const asked = { placements: shared.placement, layers: L, ids };
    expect(await livingFaults({ ...asked, active: all }, await under)).toEqual([]);
    await set;
    const after = await balancer.balance(ids);
    expect(await livingFaults({ ...asked, active: without(2) }, after)).toEqual([]);
    balancer.destroy();
  });

  test("ranks that say so before the same batch meet the quotas together", async () => {
    const halves = [sharedIds(450), sharedIds(451)];
    const ranks = await Promise.all(halves.map(() => createBalancer({ ...options, active: without(5) })));
    const own = ranks.map((rank, i) => rank.count(halves[i]));
    const counts = own[0].map((tokens, i) => tokens + own[1][i]);
    const befores = [new Int32Array(L * E), own[0]];
    const answers = await Promise.all(ranks.map((rank, i) => rank.balance(halves[i], { counts, before: befores[i] })));
    expect(difference(answers[0].quota, answers[1].quota)).toBeUndefined();
    const received = new Int32Array(L * P);
    for (const [r, { physicalIds, unserved, lost }] of answers.entries()) {
      const width = physicalIds.length / L;
      for (const [i, slot] of physicalIds.entries()) if (slot >= 0) received[Math.floor(i / width) * P + slot]++;
      for (let l = 0; l < L; l++) {
        const those = rowOf(halves[r], l, width).filter((id) => lost[l].includes(id)).length;
        expect(unserved[l]).toBe(those);
      }
    }
    expect(difference(received, answers[0].quota)).toBeUndefined();
    for (const rank of ranks) rank.destroy();
  });

  test("empty slots, experts without any, GPUs of different numbers of slots, one of them dead", async () => {
    const random = seeded(460);
    for (let i = 0; i < 4; i++) {
      const full = unevenPlacements(random, 2, 24, 5, 31);
      const placements = full.map(({ gpus, physicalToLogical, slotsPerGpu }) =>
        Placement.fromPhysicalToLogical(
          physicalToLogical.map((e) => (random.next() < 0.2 ? -1 : e)),
          { gpus, slotsPerGpu, logicalExperts: 25 },
        ),
      );
      const active = Array.from({ length: 5 }, (_, g) => g !== i);
      const balancer = await createBalancer({
        placement: placements,
        topK: 2,
        maxTokens: 200,
        backend,
        device,
        active,
      });
      const ids = randomIds(random, 2, 400, 25);
      const balanced = await balancer.balance(ids);
      expect(await livingFaults({ placements, layers: 2, ids, active }, balanced)).toEqual([]);
      expect(balanced.lost.every((experts) => experts.includes(24))).toBe(true);
      balancer.destroy();
    }
  });

  const alive = "expected an array or TypedArray of true or false, 1 or 0";
  test.each([
    [`active: ${alive}, got undefined.`, undefined],
    [`active: ${alive}, got "11111111".`, "11111111"],
    ["active: expected gpus = 8 values, got 7.", new Array(7).fill(true)],
    ["active[2]: expected true or 1 for alive, false or 0 for dead, got 2.", [1, 1, 2, 1, 1, 1, 1, 1]],
    ['active: expected a GPU that is alive, got "none".', new Array(8).fill(0)],
  ])("setActive: %s", async (message, active) => {
    const balancer = await createBalancer(options);
    const error = await balancer.setActive(active as never).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(ArgumentError);
    expect(error.message).toBe(message);
    const ids = sharedIds(470, 10);
    expect(sharedFaults(ids, await balancer.balance(ids))).toEqual([]);
    if (active !== undefined) {
      await expect(createBalancer({ ...options, active: active as never })).rejects.toThrow(message);
    }
    balancer.destroy();
    await expect(balancer.setActive(all)).rejects.toThrow(DeviceError);
  });
});

test("encode: the caller's buffers get what balance answers, from the next encoding on", async () => {
  const balancer = await createBalancer({ ...shared, backend: "webgpu", device });
  const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const junk = (words: number) => {
    const buffer = device.createBuffer({ size: 4 * words, usage: STORAGE | COPY_SRC | COPY_DST });
    device.queue.writeBuffer(buffer, 0, new Int32Array(words).fill(-7));
    return buffer;
  };
  const read = async (buffer: GPUBuffer) => {
    const target = device.createBuffer({ size: buffer.size, usage: COPY_DST | MAP_READ });
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, 0, target, 0, buffer.size);
    device.queue.submit([encoder.finish()]);
    await target.mapAsync(GPUMapMode.READ);
    return new Int32Array(target.getMappedRange().slice(0));
  };
  const width = Math.max(...shared.placement.map(({ maxReplicas }) => maxReplicas));
  let unserved = 0;
  for (const [i, active] of replay.entries()) {
    if (active !== replay[i - 1]) await balancer.setActive(active);
    const ids = sharedIds(480 + i);
    const topkIds = junk(ids.length);
    device.queue.writeBuffer(topkIds, 0, ids as Int32Array<ArrayBuffer>);
    const outputs = {
      ...{ physicalIds: junk(ids.length), quota: junk(L * P), shares: junk(L * E * width) },
      ...{ outOfRange: junk(L), unserved: junk(L), proof: junk(L * 4) },
    };
    const buffers = { tokens: shared.maxTokens, topkIds, ...outputs };
    await balancer.checkBuffers(buffers);
    const encoder = device.createCommandEncoder();
    balancer.encode(encoder, buffers);
    device.queue.submit([encoder.finish()]);
    const words = Object.fromEntries(
      await Promise.all(Object.entries(outputs).map(async ([name, buffer]) => [name, await read(buffer)] as const)),
    );
    const expected = await balancer.balance(ids);
    const asked = { placements: shared.placement, layers: L, ids, active };
    const shares = new Float32Array(words.shares.buffer);
    expect(await livingFaults(asked, { ...expected, physicalIds: words.physicalIds, quota: words.quota })).toEqual([]);
    expect([...words.outOfRange]).toEqual([...expected.outOfRange]);
    expect([...words.unserved]).toEqual([...expected.unserved]);
    const worst = expected.shares().reduce((most, share, at) => Math.max(most, Math.abs(share - shares[at])), 0);
    expect(worst).toBeLessThanOrEqual(4 * 2 ** -23);
    for (let l = 0; l < L; l++) {
      const [status, , , set] = words.proof.subarray(4 * l);
      expect(status).toBe(0);
      expect(set).not.toBe(0);
      expect(active.some((one, g) => !one && (set >>> g) & 1)).toBe(false);
    }
    unserved += words.unserved.reduce((a, b) => a + b);
  }
  expect(unserved).toBeGreaterThan(100);
  balancer.destroy();
});

test("recover keeps who is alive", async () => {
  const own = (await requestDevice()).device;
  const balancer = await createBalancer({ ...shared, backend: "webgpu", device: own, recover: true });
  const asked = { placements: shared.placement, layers: L, active: without(1, 7) };
  await balancer.setActive(asked.active);
  own.destroy();
  await own.lost;
  for (const seed of [490, 491]) {
    const ids = sharedIds(seed);
    expect(await livingFaults({ ...asked, ids }, await balancer.balance(ids))).toEqual([]);
  }
  expect(balancer.metrics().recoveries).toBe(1);
  balancer.destroy();
});
