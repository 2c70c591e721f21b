import { bufferUsage, MAP_READ_MODE } from "../gpu/constants.ts";
import { bind } from "../gpu/pipeline.ts";
import { cutBound, insideLoad } from "../lp/cut.ts";
import { exactSolver } from "../lp/exact.ts";
import { compileLane, decodeProofs, encodeSolve, solveParams } from "../lp/kernels/lane.ts";
import { proofWords, topologyTable } from "../lp/kernels/topology_table.ts";
import type { Topology } from "../lp/topology.ts";
import type { Pacer } from "./pacer.ts";

/** The optima of K placements on n batches, and what proves them. */
export interface Bottlenecks {
  /** [K, n] imbalance: t* over what a perfect balance would take. */
  imbalance: Float64Array;
  /** [K, n, G] 1 on the bottleneck set. */
  member: Uint8Array;
}

/** @param topologies  K of equal G, E, P and speeds.  @param rows  [n, E] loads, adding up to 1. */
export type FindBottlenecks = (topologies: readonly Topology[], rows: Float64Array) => Promise<Bottlenecks>;

/** LP by LP on the CPU, exactly. */
export function bottlenecksOnCpu(pacer: Pacer): FindBottlenecks {
  return async (topologies, rows) => {
    const { gpus, experts } = topologies[0];
    const n = rows.length / experts;
    const member = new Uint8Array(topologies.length * n * gpus);
    for (const [i, topology] of topologies.entries()) {
      const solver = exactSolver(topology);
      const x = new Float64Array(topology.replicaGpu.length);
      const loads = { batch: n, tokens: "fractional", expertLoad: rows, baseLoad: undefined } as const;
      for (let lp = 0; lp < n; lp++) {
        await pacer.breathe();
        solver.solve(loads, lp, x, member.subarray((i * n + lp) * gpus, (i * n + lp + 1) * gpus));
      }
    }
    return { member, imbalance: imbalances(topologies, rows, member) };
  };
}

/** Shares become whole units, this many in a batch, as the kernel wants them: what that rounds off is about 1e-9. */
const UNITS = 2 ** 30;
const WORD = 4;
/** LPs in one dispatch at most: some drivers reset a GPU that is busy for seconds. */
const LONGEST_DISPATCH = 65536;

/**
 * In one dispatch for all placements: LP p solves batch floor(p / K) on the topology of record p % K. What the kernel cannot close, and that is rare, the CPU
 * solves again.
 */
export function bottlenecksOnGpu(device: GPUDevice, pacer: Pacer): FindBottlenecks {
  return async (topologies, rows) => {
    const { gpus, experts, slots, equalSpeeds } = topologies[0];
    const count = topologies.length;
    const n = rows.length / experts;
    const table = topologyTable(topologies);
    const kernel = await compileLane(device, table, equalSpeeds);
    const words = proofWords(gpus);
    const rowBytes = WORD * Math.max(experts, slots, words) * count;
    const most = Math.floor(Math.min(LONGEST_DISPATCH / count, device.limits.maxStorageBufferBindingSize / rowBytes));
    const chunk = Math.max(1, Math.min(n, most));
    const { STORAGE, COPY_DST, COPY_SRC, UNIFORM, MAP_READ } = bufferUsage;
    const made: GPUBuffer[] = [];
    const buffer = (label: string, bytes: number, usage: GPUBufferUsageFlags) => {
      const size = Math.max(16, bytes);
      made.push(device.createBuffer({ label: `placements ${label}`, size, usage }));
      return made[made.length - 1];
    };
    try {
      const topology = buffer("topology", table.data.byteLength, STORAGE | COPY_DST);
      const load = buffer("load", chunk * count * experts * WORD, STORAGE | COPY_DST);
      const quota = buffer("quota", chunk * count * slots * WORD, STORAGE);
      const proof = buffer("proof", chunk * count * words * WORD, STORAGE | COPY_SRC);
      const params = buffer("params", 32, UNIFORM | COPY_DST);
      const readback = buffer("readback", chunk * count * words * WORD, MAP_READ | COPY_DST);
      const parts = { topology, load, base: load, skip: load, quota, proof, params }; // base and skip are not read
      const group = bind(
        device,
        kernel,
        Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, { buffer: part }])),
      );
      device.queue.writeBuffer(topology, 0, table.data);
      const member = new Uint8Array(count * n * gpus);
      const again = exactSolverOf(topologies, rows, member, n);
      for (let first = 0; first < n; first += chunk) {
        await pacer.breathe();
        const batches = Math.min(chunk, n - first);
        const lps = batches * count;
        const loads = new Int32Array(lps * experts);
        for (let i = 0; i < loads.length; i++) {
          const batch = first + Math.floor(i / experts / count);
          loads[i] = Math.round(rows[batch * experts + (i % experts)] * UNITS);
        }
        device.queue.writeBuffer(load, 0, loads);
        device.queue.writeBuffer(params, 0, solveParams(lps, table, { hasBase: false, hasSkip: false }));
        const encoder = device.createCommandEncoder({ label: "placements" });
        const pass = encoder.beginComputePass({ label: "placements" });
        encodeSolve(device, pass, kernel, group, lps);
        pass.end();
        encoder.copyBufferToBuffer(proof, 0, readback, 0, lps * words * WORD);
        device.queue.submit([encoder.finish()]);
        await readback.mapAsync(MAP_READ_MODE, 0, lps * words * WORD);
        const proofs = new Uint32Array(readback.getMappedRange(0, lps * words * WORD).slice(0));
        readback.unmap();
        const sets = decodeProofs(proofs, lps, gpus).member;
        for (let p = 0; p < lps; p++) {
          const batch = first + Math.floor(p / count);
          if (proofs[p * words] !== 0) again(p % count, batch);
          else member.set(sets.subarray(p * gpus, (p + 1) * gpus), ((p % count) * n + batch) * gpus);
        }
      }
      return { member, imbalance: imbalances(topologies, rows, member) };
    } finally {
      for (const one of made) one.destroy();
    }
  };
}

/** Solves batch `lp` of placement `i` on the CPU, into `member` [K, n, G]. */
function exactSolverOf(topologies: readonly Topology[], rows: Float64Array, member: Uint8Array, n: number) {
  const loads = { batch: n, tokens: "fractional", expertLoad: rows, baseLoad: undefined } as const;
  return (i: number, lp: number) => {
    const { gpus, replicaGpu } = topologies[i];
    const at = (i * n + lp) * gpus;
    exactSolver(topologies[i]).solve(loads, lp, new Float64Array(replicaGpu.length), member.subarray(at, at + gpus));
  };
}

/** What the bottleneck sets prove, recomputed from the loads. */
function imbalances(topologies: readonly Topology[], rows: Float64Array, member: Uint8Array): Float64Array {
  const { gpus, experts, speed } = topologies[0];
  const n = rows.length / experts;
  const total = speed.reduce((a, b) => a + b);
  const imbalance = new Float64Array(topologies.length * n);
  for (const [i, topology] of topologies.entries()) {
    for (let lp = 0; lp < n; lp++) {
      const at = (i * n + lp) * gpus;
      const set = member.subarray(at, at + gpus);
      const inside = insideLoad(topology, rows, undefined, lp, set);
      const speeds = [...speed].filter((_, g) => set[g]);
      imbalance[i * n + lp] = cutBound(inside, speeds, "fractional") * total;
    }
  }
  return imbalance;
}
