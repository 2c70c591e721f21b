/** More GPUs than *lane* takes: wide expert parallelism, where *group* solves all layers of a batch. */
import { expect, test } from "vitest";
import { GpuBalance } from "../../src/balancer/gpu_balance.ts";
import { livingOf } from "../../src/balancer/living.ts";
import { type Random, seeded } from "../../src/common/random.ts";
import { createBalancer, Placement, rebalanceExperts, requestDevice } from "../../src/index.ts";
import { difference } from "../helpers/arrays.ts";
import { randomIds } from "../helpers/batches.ts";
import { livingFaults } from "../helpers/crew.ts";
import { plainDevice } from "../helpers/devices.ts";
import { randomPlacement } from "../helpers/instances.ts";

const { device } = await requestDevice();
const E = 256;

/** As EPLB places DeepSeek-V3's experts, differently in each layer. */
function placedByEplb(random: Random, layers: number, gpus: number, redundant: number): Placement[] {
  const weight = Array.from({ length: layers }, () => Float64Array.from({ length: E }, () => random.next() ** 3));
  const { physicalToLogical } = rebalanceExperts(weight, { replicas: E + redundant, gpus });
  return physicalToLogical.map((map) => Placement.fromPhysicalToLogical(map, { gpus }));
}

test.each([
  ["EP144 R32", 144, 32],
  ["EP320 R64", 320, 64],
])("%s on WebGPU: exact, while GPUs die and come back, and as the CPU has it", async (_, gpus, redundant) => {
  const random = seeded(gpus);
  const placements = placedByEplb(random, 2, gpus, redundant);
  const options = { placement: placements, topK: 8, maxTokens: 300 };
  const balancer = await createBalancer({ ...options, backend: "webgpu", device });
  const onCpu = await createBalancer({ ...options, backend: "cpu" });
  expect(balancer.plan).toMatchObject({ kernel: "group" });
  const all = new Array<boolean>(gpus).fill(true);
  const some = all.map((__, g) => g % 9 !== 4);
  for (const active of [all, some, all]) {
    await Promise.all([balancer.setActive(active), onCpu.setActive(active)]);
    const ids = randomIds(random, 2, 300 * 8, E);
    const balanced = await balancer.balance(ids);
    expect(await livingFaults({ placements, layers: 2, ids, active }, balanced)).toEqual([]);
    expect(balanced.status).toEqual(["optimal", "optimal"]);
    const { after } = await onCpu.balance(ids);
    expect(difference(balanced.after.max, after.max)).toBeUndefined();
  }
  expect(balancer.metrics()).toMatchObject({ batches: 3, finishedOnCpu: 0 });
  expect(balancer.plan).toMatchObject({ kernel: "group" });
  for (const one of [balancer, onCpu]) one.destroy();
});

test("base loads on 72 GPUs enter the group kernel: exact, certified, also with some of them dead", async () => {
  const random = seeded(72);
  const [layers, gpus] = [2, 72];
  const placements = placedByEplb(random, layers, gpus, 32);
  const baseLoad = Array.from({ length: layers }, () => Array.from({ length: gpus }, () => random.below(30)));
  const options = { placement: placements, topK: 8, maxTokens: 300, baseLoad };
  const balancer = await createBalancer({ ...options, backend: "webgpu", device });
  expect(balancer.plan).toMatchObject({ kernel: "group" });
  const all = new Array<boolean>(gpus).fill(true);
  for (const active of [all, all.map((_, g) => g % 9 !== 4)]) {
    await balancer.setActive(active);
    const ids = randomIds(random, layers, 300 * 8, E);
    const asked = { placements, layers, ids, active };
    expect(await livingFaults({ ...asked, baseLoad }, await balancer.balance(ids))).toEqual([]);
    const turned = baseLoad.map((row) => row.toReversed());
    const own = await balancer.balance(ids, { baseLoad: turned });
    expect(await livingFaults({ ...asked, baseLoad: turned }, own)).toEqual([]);
  }
  expect(balancer.metrics()).toMatchObject({ batches: 4, finishedOnCpu: 0 });
  balancer.destroy();
});

// Fill grows with the loss of a GPU so rarely that no instance was found: here the kernel says that it has no room.
test.each([
  ["lane", 8],
  ["group", 70],
] as const)("where %s has no room for those alive, another is compiled, with the same answer", async (name, gpus) => {
  const random = seeded(9100);
  const placements = [0, 1].map(() => randomPlacement(random, gpus, 3, gpus, 3));
  const speeds = new Float64Array(gpus).fill(1);
  const options = {
    ...{ placements, topologies: livingOf(placements, speeds, undefined).topologies },
    ...{ layers: 2, maxAssignments: 400, topK: 4, skipBelow: 0, late: false },
  };
  const [full, roomy] = [await GpuBalance.create(device, options), await GpuBalance.create(device, options)];
  const { solver } = full.stages;
  expect(solver.variant.name).toBe(name);
  const ids = randomIds(random, 2, 400, placements[0].logicalExperts);
  for (const dead of [3, -1, 5]) {
    solver.kernel = { ...solver.kernel, tableOf: () => undefined };
    const living = livingOf(
      placements,
      speeds,
      Uint8Array.from(speeds, (_, g) => (g === dead ? 0 : 1)),
    );
    await Promise.all([full.setLiving(living), roomy.setLiving(living)]);
    const [a, b] = [await full.balance({ ids }, false), await roomy.balance({ ids }, false)];
    expect(difference(a.physicalIds, b.physicalIds)).toBeUndefined();
    expect(difference(a.quota, b.quota)).toBeUndefined();
    expect(a.after).toEqual(b.after);
  }
  for (const one of [full, roomy]) one.destroy();
});

test("a topology that no kernel takes on the device: webgpu says why, auto goes to the CPU and says why", async () => {
  const plain = await plainDevice();
  const placement = randomPlacement(seeded(27), 512, 2, 256, 2);
  const options = { placement, topK: 2, maxTokens: 10, device: plain };
  const why = /too large for the group kernel: an LP takes (at least )?\d+ bytes of workgroup memory/;
  await expect(createBalancer({ ...options, backend: "webgpu" })).rejects.toThrow(why);
  const balancer = await createBalancer({ ...options, backend: "auto" });
  expect(balancer.plan).toEqual({ kernel: "cpu", reason: expect.stringMatching(why) });
  const ids = Int32Array.of(64, 3);
  const active = new Array<boolean>(512).fill(true);
  expect(await livingFaults({ placements: [placement], layers: 1, ids, active }, await balancer.balance(ids))).toEqual(
    [],
  );
  plain.destroy();
});
