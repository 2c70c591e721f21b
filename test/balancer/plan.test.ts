/** What solves is settled when the balancer is made, and what it has seen leaves no trace: ranks must agree to the token. */
import { expect, test } from "vitest";
import { type Balanced, type Balancer, type BalancerOptions, createBalancer, requestDevice } from "../../src/index.ts";
import { difference } from "../helpers/arrays.ts";
import { shared, sharedIds } from "../helpers/batches.ts";

const { device } = await requestDevice();
const noHardware = await requestDevice({ adapter: "hardware" }).then(
  () => false,
  () => true,
);
const lane = {
  kernel: "lane",
  reason: "One dispatch solves all layers, whose placements may differ, with the topology as data.",
};
const asked = { kernel: "cpu", reason: "The caller asked for the CPU." };
const unasked = { kernel: "cpu", reason: expect.stringContaining("No hardware WebGPU adapter.") };

const made: Record<string, { options: Partial<BalancerOptions>; plan: object }> = {
  webgpu: { options: { backend: "webgpu" }, plan: lane },
  "webgpu, unequal speeds": { options: { backend: "webgpu", speed: [1, 1, 1, 1, 2, 2, 2, 0.5] }, plan: lane },
  "webgpu, skipping": { options: { backend: "webgpu", skipBelow: 1.3 }, plan: lane },
  cpu: { options: { backend: "cpu" }, plan: asked },
  "cpu, unequal speeds": { options: { backend: "cpu", speed: [1, 1, 1, 1, 2, 2, 2, 0.5] }, plan: asked },
  "cpu, skipping": { options: { backend: "cpu", skipBelow: 1.3 }, plan: asked },
  auto: { options: { adapter: "hardware" }, plan: noHardware ? unasked : lane },
  "auto, a device of the caller's": { options: { device }, plan: lane },
};

/** As would make a solver change its kernel, or in a second and more its backend: many batches, of all sizes. */
async function warmUp(balancer: Balancer, leastMs: number): Promise<void> {
  const begun = performance.now();
  for (let i = 0; i < 20 || performance.now() - begun < leastMs; i++) {
    await balancer.balance(sharedIds(400 + (i % 20), [300, 1, 40, 0, 300][i % 5], i % 7 === 0 ? 0.9 : 0.05));
  }
}

/** Where two answers differ, if they do. */
const differ = (a: Balanced, b: Balanced) =>
  difference(a.physicalIds, b.physicalIds) ?? difference(a.quota, b.quota) ?? difference(a.outOfRange, b.outOfRange);

test.each(Object.keys(made))("a cold and a warm balancer give equal ids, by one plan: %s", async (name) => {
  const { options, plan } = made[name];
  const warm = await createBalancer({ ...shared, ...options });
  expect(warm.plan).toEqual(plan);
  const before = structuredClone(warm.plan);
  await warmUp(warm, name === "auto" ? 1200 : 0);
  const cold = await createBalancer({ ...shared, ...options });
  for (const [seed, tokens] of [
    [411, 300],
    [412, 33],
    [413, 1],
  ]) {
    const ids = sharedIds(seed, tokens);
    const others = warm.count(sharedIds(seed + 10, 200));
    const rank = { before: others, counts: warm.count(ids).map((own, i) => own + others[i]) };
    expect(differ(await cold.balance(ids), await warm.balance(ids)), `${tokens} tokens`).toBeUndefined();
    expect(differ(await cold.balance(ids, rank), await warm.balance(ids, rank)), "of one rank").toBeUndefined();
  }
  expect([cold.plan, warm.plan]).toEqual([before, before]);
  expect(warm.backend).toBe(before.kernel === "cpu" ? "cpu" : "webgpu");
  for (const balancer of [cold, warm]) balancer.destroy();
});

test("ranks with devices of their own agree", async () => {
  const here = await createBalancer({ ...shared, device });
  const there = await createBalancer({ ...shared, backend: "webgpu" });
  expect(there.device).not.toBe(device);
  for (const seed of [431, 432]) {
    const ids = sharedIds(seed);
    expect(differ(await there.balance(ids), await here.balance(ids))).toBeUndefined();
  }
  for (const balancer of [here, there]) balancer.destroy();
});

// Negative control: a late balancer does remember, so the comparison would show it.
test("a late balancer, warm, answers otherwise than a cold one", async () => {
  const options = { ...shared, backend: "cpu", late: true } as const;
  const [cold, warm] = [await createBalancer(options), await createBalancer(options)];
  await warm.balance(sharedIds(441));
  const ids = sharedIds(442);
  expect(differ(await cold.balance(ids), await warm.balance(ids))).toBeDefined();
});
