/** What stands between the balancer's stages and the caller: spoiled answers are refused, or finished on the CPU. */
import { describe, expect, test } from "vitest";
import { CpuBalance } from "../../src/balancer/cpu_balance.ts";
import { checkOptions } from "../../src/balancer/options.ts";
import { type BalanceResult, judgeBalance } from "../../src/balancer/result.ts";
import { DeviceError } from "../../src/index.ts";
import { shared, sharedFaults, sharedIds } from "../helpers/batches.ts";

const options = checkOptions({ ...shared, backend: "cpu" });
const { layers, placements } = options;
const { gpus, logicalExperts: E, physicalExperts: P } = placements[0];
const ids = sharedIds(161);
const perLayer = ids.length / layers;

/** The stages' answer to the batch, and what the balancer makes of it. */
const raw = (): Promise<BalanceResult> => new CpuBalance(options, 0).balance({ ids });
const judged = (result: BalanceResult) => judgeBalance(options, { ids }, result, "cpu");

test("a right answer is taken as it is", async () => {
  const result = await raw();
  const physicalIds = result.physicalIds.slice();
  const { balanced, finishedOnCpu } = judged(result);
  expect(finishedOnCpu).toBe(0);
  expect(balanced.status).toEqual(["optimal", "optimal", "optimal"]);
  expect(balanced.physicalIds).toEqual(physicalIds);
  expect(sharedFaults(ids, balanced)).toEqual([]);
});

describe("physical ids that are not slots of their experts are refused", () => {
  const at = (fits: (id: number) => boolean) => ids.findIndex((id, i) => i > perLayer && fits(id)); // in a later layer
  const token = at((id) => id >= 0 && id < E);
  const last = ids.findLastIndex((id) => id >= 0 && id < E);
  const spoilers: Record<string, [(physicalIds: Int32Array) => void, number]> = {
    "all zero": [(physical) => physical.fill(0), 0],
    "none at all": [(physical) => physical.fill(-1), ids.findIndex((id) => id >= 0 && id < E)],
    "one lost": [(physical) => physical.fill(-1, token, token + 1), token],
    "the last one lost": [(physical) => physical.fill(-1, last, last + 1), last],
    "one moved to the next slot": [
      (physical) => {
        const { physicalToLogical } = placements[1];
        const other = [...physicalToLogical.keys()].find((p) => physicalToLogical[p] !== ids[token])!;
        physical[token] = other;
      },
      token,
    ],
    "one beyond the slots": [(physical) => physical.fill(P, token, token + 1), token],
    "padding that got a slot": [
      (physical) => {
        physical[at((id) => id === -1)] = 0;
      },
      at((id) => id === -1),
    ],
    "an id out of range that got a slot": [
      (physical) => {
        physical[at((id) => id >= E)] = 3;
      },
      at((id) => id >= E),
    ],
  };
  test.each(Object.keys(spoilers))("%s", async (name) => {
    const [spoil, where] = spoilers[name];
    const result = await raw();
    spoil(result.physicalIds);
    const refused = () => judged(result);
    expect(refused).toThrow(DeviceError);
    expect(refused).toThrow(`id ${ids[where]} at ${where} came back as slot ${result.physicalIds[where]}.`);
  });

  test("a layer's ids in the slots of another layer's placement", async () => {
    const result = await raw();
    result.physicalIds.copyWithin(perLayer, 0, perLayer);
    const sameIds = ids.slice();
    sameIds.copyWithin(perLayer, 0, perLayer);
    expect(() => judgeBalance(options, { ids: sameIds }, result, "cpu")).toThrow(DeviceError);
  });
});

describe("quotas and bottleneck sets that prove nothing leave their layer, and no other, to the CPU", () => {
  const layer = 1;
  const spoilers: Record<string, (quota: Int32Array, member: Uint8Array) => void> = {
    zeros: (quota) => quota.fill(0),
    "a token lost": (quota) => {
      quota[quota.findIndex((tokens) => tokens > 0)]--;
    },
    "a token moved to another expert": (quota) => {
      const p = quota.findIndex((tokens) => tokens > 0);
      quota[p]--;
      quota[(p + 1) % P]++;
    },
    "no bottleneck": (_, member) => member.fill(0),
  };
  test.each(Object.keys(spoilers))("%s", async (name) => {
    const result = await raw();
    spoilers[name](
      result.quota.subarray(layer * P, (layer + 1) * P),
      result.member.subarray(layer * gpus, (layer + 1) * gpus),
    );
    const { balanced, finishedOnCpu } = judged(result);
    expect(finishedOnCpu).toBe(1);
    expect(balanced.status).toEqual(["optimal", "optimal", "optimal"]);
    expect([0, 1, 2].map((l) => balanced.proof(l).solution.finishedOnCpu)).toEqual([0, 1, 0]);
    expect(sharedFaults(ids, balanced)).toEqual([]); // remapped, and measured anew
  });

  test("with base loads, which the CPU counts in", async () => {
    const batch = { ids, baseLoad: Int32Array.from({ length: layers * gpus }, (_, i) => 37 * (i % 5)) };
    const result = await new CpuBalance(options, 0).balance(batch);
    const { after } = judgeBalance(options, batch, structuredClone(result), "cpu").balanced;
    result.quota.subarray(layer * P, (layer + 1) * P).fill(0);
    const { balanced, finishedOnCpu } = judgeBalance(options, batch, result, "cpu");
    expect(finishedOnCpu).toBe(1);
    expect(balanced.status).toEqual(["optimal", "optimal", "optimal"]);
    expect(balanced.after).toEqual(after);
  });
});
