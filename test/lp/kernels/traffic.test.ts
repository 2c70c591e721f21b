import { describe, expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import { foldGrid } from "../../../src/gpu/pipeline.ts";
import { createSolver, Placement, rebalanceExperts, requestDevice } from "../../../src/index.ts";
import { toTopology } from "../../../src/lp/forms.ts";
import { sourceParams, sourceTable } from "../../../src/lp/kernels/source_table.ts";
import { compileTraffic, trafficBytes, trafficProofWords, trafficRefuses } from "../../../src/lp/kernels/traffic.ts";
import { traffic } from "../../../src/lp/twins/traffic.ts";
import { checkDistance } from "../../../src/placement/distance.ts";
import { difference, rowOf } from "../../helpers/arrays.ts";
import { runKernel, unwritten } from "../../helpers/kernel.ts";
import { paidBy, type SourcedLps, sourcedLps } from "../../helpers/sourced_lps.ts";

const { device } = await requestDevice();
const PATHS = 4096;

interface Given extends SourcedLps {
  records: number;
  skip?: Uint32Array;
  paths?: number;
}

async function onDevice({ topologies, distance, sourceLoad, quota, cap, records, skip, paths }: Given) {
  const table = sourceTable(topologies.slice(0, records), distance);
  const batch = topologies.length;
  const { sources, slots, replicas } = table;
  const arrays = {
    ...{ table: table.data, sourceLoad, cap, quota, params: sourceParams(table, batch, skip !== undefined) },
    skip: skip ?? new Uint32Array(1),
    flow: unwritten(batch * replicas * sources),
    sourceQuota: new Uint32Array(batch * sources * slots).fill(77), // of nobody's slots it is not written
    proof: unwritten(batch * trafficProofWords(table)),
  };
  const {
    quota: found,
    sourceQuota,
    proof,
  } = await runKernel(
    device,
    await compileTraffic(device, table, paths),
    arrays,
    foldGrid(device, batch).slice(0, 2) as [number, number],
  );
  return {
    quota: Int32Array.from(found),
    sourceQuota: Int32Array.from(sourceQuota),
    proof: new Int32Array(proof.slice().buffer),
  };
}

/** The exact solver's. */
async function leastOf({ placements, distance, sourceLoad, topologies }: SourcedLps, lp: number): Promise<number> {
  const { allGpus, label, experts } = topologies[lp];
  const active = Array.from({ length: allGpus }, (_, g) => label.includes(g));
  const { given } = distance;
  const solver = await createSolver(placements[lp], { backend: "cpu", active, ...given });
  const own = rowOf(sourceLoad, lp, distance.sources * experts);
  const solution = await solver.solve({ sourceLoad: own });
  solver.destroy();
  return solution.traffic![0];
}

test("path by path as the twin, and with the traffic of the exact solver", async () => {
  const random = seeded(2400);
  let paths = 0;
  for (let i = 0; i < 60; i++) {
    const records = 1 + (i % 3);
    const lps = await sourcedLps(random, 3, records);
    const { topologies, distance, sourceLoad, cap, placements } = lps;
    const [{ experts, slots, slotReplica }, { sources, gpus }] = [topologies[0], distance];
    const found = await onDevice({ ...lps, records });
    for (const [lp, topology] of topologies.entries()) {
      const own = rowOf(sourceLoad, lp, sources * experts);
      const twin = traffic(topology, distance, own, rowOf(cap, lp, gpus), PATHS);
      const proof = rowOf(found.proof, lp, 1 + gpus);
      expect(proof[0], `instance ${i}, LP ${lp}`).toBe(twin.paths);
      expect(difference(proof.subarray(1), twin.potential)).toBeUndefined();
      const sent = rowOf(found.sourceQuota, lp, sources * slots).map((x, j) =>
        topology.slotReplica[j % slots] < 0 ? 0 : x,
      );
      expect(difference(sent, twin.sourceQuota)).toBeUndefined();
      const quota = rowOf(found.quota, lp, slots);
      expect(difference(quota, twin.quota)).toBeUndefined();
      if (!distance.values.every((far) => far === distance.values[0])) {
        expect(paidBy(distance, placements[lp], sent)).toBe(await leastOf(lps, lp));
      }
      const held = new Int32Array(gpus);
      for (const [p, tokens] of quota.entries()) held[placements[lp].gpuOf[p]] += tokens;
      for (let g = 0; g < gpus; g++) expect(held[g]).toBeLessThanOrEqual(cap[lp * gpus + g]);
      paths += twin.paths;
    }
    expect(slotReplica.length).toBe(slots);
  }
  expect(paths).toBeGreaterThan(300);
});

test("more GPUs, sources and exchanges than lanes", async () => {
  const random = seeded(2405);
  const most = { sources: 0, exchanges: 0 };
  for (const gpus of [66, 72, 80, 96]) {
    const lps = await sourcedLps(random, 2, 1, gpus);
    const { topologies, distance, sourceLoad, cap, placements } = lps;
    const { experts, slots } = topologies[0];
    most.sources = Math.max(most.sources, distance.sources);
    most.exchanges = Math.max(most.exchanges, sourceTable(topologies.slice(0, 1), distance).exchanges);
    const found = await onDevice({ ...lps, records: 1 });
    for (const [lp, topology] of topologies.entries()) {
      const own = rowOf(sourceLoad, lp, distance.sources * experts);
      const twin = traffic(topology, distance, own, rowOf(cap, lp, gpus), PATHS);
      const sent = rowOf(found.sourceQuota, lp, distance.sources * slots).map((x, j) =>
        topology.slotReplica[j % slots] < 0 ? 0 : x,
      );
      expect(difference(sent, twin.sourceQuota)).toBeUndefined();
      expect([...rowOf(found.proof, lp, 1 + gpus)]).toEqual([twin.paths, ...twin.potential]);
      expect(paidBy(distance, placements[lp], sent)).toBe(await leastOf(lps, lp));
    }
  }
  expect(most.sources).toBeGreaterThan(64);
  expect(most.exchanges).toBeGreaterThan(64);
});

describe("where it gives up", () => {
  test("everything stays as it was, and the potentials prove a bound", async () => {
    const random = seeded(2410);
    let gaveUp = 0;
    for (let i = 0; i < 30; i++) {
      const lps = await sourcedLps(random, 2, 1);
      const { topologies, distance, quota, sourceLoad, cap } = lps;
      const [{ experts, slots }, { sources, gpus, values }] = [topologies[0], distance];
      const found = await onDevice({ ...lps, records: 1, paths: 2 });
      for (const [lp, topology] of topologies.entries()) {
        const proof = rowOf(found.proof, lp, 1 + gpus);
        if (proof[0] !== -1) continue;
        gaveUp++;
        expect(rowOf(found.quota, lp, slots)).toEqual(rowOf(quota, lp, slots));
        expect(new Set(rowOf(found.sourceQuota, lp, sources * slots))).toEqual(new Set([77]));
        const y = proof.subarray(1);
        let bound = 0;
        for (let g = 0; g < gpus; g++) {
          expect(y[g]).toBeLessThanOrEqual(0);
          bound += y[g] * cap[lp * gpus + g];
        }
        const { replicaStart, replicaGpu, label } = topology;
        for (let s = 0; s < sources; s++) {
          for (let e = 0; e < experts; e++) {
            const homes = [...replicaGpu.subarray(replicaStart[e], replicaStart[e + 1])].map((g) => label[g]);
            const least = Math.min(...homes.map((g) => values[s * gpus + g] - y[g]));
            if (homes.length > 0) bound += least * sourceLoad[(lp * sources + s) * experts + e];
          }
        }
        expect(bound).toBeLessThanOrEqual(await leastOf(lps, lp));
      }
    }
    expect(gaveUp).toBeGreaterThan(10);
  });

  test("what is skipped stays as it was", async () => {
    const lps = await sourcedLps(seeded(2420), 3, 1);
    const { slots } = lps.topologies[0];
    const found = await onDevice({ ...lps, records: 1, skip: Uint32Array.of(1, 0, 1) });
    for (const lp of [0, 2]) expect(rowOf(found.quota, lp, slots)).toEqual(rowOf(lps.quota, lp, slots));
    expect(found.proof[1 + lps.distance.gpus]).toBeGreaterThanOrEqual(0);
  });
});

test.each([64, 384])("EP320 with %i redundant experts has room", (redundant) => {
  const load = Array.from({ length: 256 }, (_, e) => 1 / (redundant + e));
  const { physicalToLogical } = rebalanceExperts([load], { replicas: 256 + redundant, gpus: 320, groups: 1, nodes: 1 });
  const placement = Placement.fromPhysicalToLogical(physicalToLogical[0], { gpus: 320 });
  const table = sourceTable([toTopology(placement, undefined)], checkDistance({ nodes: 40 }, 320)!);
  expect(trafficBytes(table)).toBeLessThanOrEqual(16384);
  expect(trafficRefuses(device, table)).toBeUndefined();
  const small = { limits: { maxComputeWorkgroupStorageSize: 1024 } } as GPUDevice;
  expect(trafficRefuses(small, table)).toMatch(/^it needs \d+ bytes of workgroup memory, of 1024 here$/);
});
