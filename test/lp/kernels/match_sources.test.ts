import { expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import { requestDevice } from "../../../src/index.ts";
import { compileMatchSources, matchGrid } from "../../../src/lp/kernels/match_sources.ts";
import { sourceParams, sourceTable } from "../../../src/lp/kernels/source_table.ts";
import { matchSources } from "../../../src/lp/twins/match_sources.ts";
import { difference, rowOf } from "../../helpers/arrays.ts";
import { runKernel, unwritten } from "../../helpers/kernel.ts";
import { paidBy, type SourcedLps, sourcedLps } from "../../helpers/sourced_lps.ts";

const { device } = await requestDevice();

async function onDevice(
  { topologies, distance, sourceLoad, quota }: SourcedLps,
  records: number,
): Promise<Uint32Array> {
  const table = sourceTable(topologies.slice(0, records), distance);
  const batch = topologies.length;
  const arrays = {
    ...{ table: table.data, sourceLoad, quota, params: sourceParams(table, batch) },
    sourceQuota: unwritten(batch * table.sources * table.slots),
  };
  return (await runKernel(device, await compileMatchSources(device, table), arrays, matchGrid(table, batch)))
    .sourceQuota;
}

test("quotas are filled as the twin fills them, by every source's own tokens", async () => {
  const random = seeded(2300);
  for (let i = 0; i < 40; i++) {
    const lps = await sourcedLps(random, 3, 1 + (i % 3));
    const { topologies, distance, sourceLoad, quota } = lps;
    const { experts, slots } = topologies[0];
    const { sources } = distance;
    const found = await onDevice(lps, 1 + (i % 3));
    for (const [lp, topology] of topologies.entries()) {
      const expected = new Int32Array(sources * slots);
      const [own, given] = [rowOf(sourceLoad, lp, sources * experts), rowOf(quota, lp, slots)];
      matchSources(topology, distance, own, given, expected);
      expect(difference(rowOf(found, lp, sources * slots), expected), `instance ${i}, LP ${lp}`).toBeUndefined();
      for (let p = 0; p < slots; p++) {
        const filled = expected.reduce((sum, tokens, j) => sum + (j % slots === p ? tokens : 0), 0);
        expect(filled, `slot ${p}`).toBe(given[p]);
      }
    }
  }
});

test("in nodes: no other way to fill the quotas has less traffic", async () => {
  const random = seeded(2310);
  let compared = 0;
  for (let i = 0; i < 60; i++) {
    const lps = await sourcedLps(random, 1, 1);
    if (!("nodes" in lps.distance.given)) continue;
    const found = Int32Array.from(await onDevice(lps, 1));
    const { placements, distance, sourceLoad, quota } = lps;
    const best = leastFilling(lps);
    expect(paidBy(distance, placements[0], found), `instance ${i}`).toBe(best);
    expect(sourceLoad.length * quota.length).toBeGreaterThan(0);
    compared++;
  }
  expect(compared).toBeGreaterThan(20);
});

/** Expert by expert the least that its sources pay to fill its slots: tokens are exchanged between two sources while that helps, which in nodes is enough
 * only together with cycles of any length; so these are sought by Bellman and Ford over the sources. */
function leastFilling({
  topologies: [topology],
  placements: [placement],
  distance,
  sourceLoad,
  quota,
}: SourcedLps): number {
  const { experts, slots, slotExpert, slotReplica } = topology;
  const { sources, values, gpus } = distance;
  let paid = 0;
  for (let e = 0; e < experts; e++) {
    const own = [...Array(slots).keys()].filter((p) => slotExpert[p] === e && slotReplica[p] >= 0);
    const far = (s: number, i: number) => values[s * gpus + placement.gpuOf[own[i]]];
    const left = Array.from({ length: sources }, (_, s) => sourceLoad[s * experts + e]);
    const room = own.map((p) => quota[p]);
    const sent = left.map(() => own.map(() => 0));
    // One token after the other along the cheapest path: a slot, or one that passes on what another source has there.
    for (let s = 0; s < sources; s++) {
      for (; left[s] > 0 && own.length > 0; left[s]--) {
        const cost = own.map((_, i) => far(s, i));
        const by = own.map(() => [s, -1]);
        for (let round = 0; round < own.length; round++) {
          for (const [i] of own.entries()) {
            for (const [k] of own.entries()) {
              for (let other = 0; other < sources; other++) {
                if (sent[other][i] === 0 || cost[i] - far(other, i) + far(other, k) >= cost[k]) continue;
                cost[k] = cost[i] - far(other, i) + far(other, k);
                by[k] = [other, i];
              }
            }
          }
        }
        let end = room.findIndex((tokens) => tokens > 0);
        for (const [i] of own.entries()) if (room[i] > 0 && cost[i] < cost[end]) end = i;
        room[end]--;
        paid += cost[end];
        for (let k = end; ; ) {
          const [source, from] = by[k];
          sent[source][k]++;
          if (from < 0) break;
          sent[source][from]--;
          k = from;
        }
      }
    }
  }
  return paid;
}
