import { WORD } from "../gpu/constants.ts";
import { createJob } from "../gpu/job.ts";
import { bind } from "../gpu/pipeline.ts";
import { cutBound, insideLoad } from "../lp/cut.ts";
import { exactSolver } from "../lp/exact.ts";
import { variantFor } from "../lp/kernels/choose.ts";
import { decodeProofs, proofWords } from "../lp/kernels/proof.ts";
import {
  encodeSolve,
  LONGEST_DISPATCH,
  type LpKernel,
  SOLVE_PARAMS_BYTES,
  solveParams,
} from "../lp/kernels/variant.ts";
import type { Topology } from "../lp/topology.ts";
import { UNITS } from "../lp/units.ts";
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

/**
 * In one dispatch for all placements: LP p solves batch floor(p / K) on the topology of record p % K. What the kernel cannot close, and that is rare, the CPU
 * solves again.
 *
 * @throws {DeviceError} The device was lost, or no kernel takes the topologies on it.
 */
export function bottlenecksOnGpu(device: GPUDevice, pacer: Pacer): FindBottlenecks {
  return async (topologies, rows) => {
    const { gpus, experts } = topologies[0];
    const count = topologies.length;
    const n = rows.length / experts;
    const kernel = await variantFor(device, topologies).compile(device, topologies);
    const { chunk, job } = jobFor(device, topologies, kernel, n);
    try {
      const { table, ...parts } = job.bindings;
      const { load } = parts;
      const bindings = { [kernel.table.name]: table, base: load, skip: load, ...parts }; // base and skip are not read
      const group = bind(device, kernel.compiled, bindings);
      const member = new Uint8Array(count * n * gpus);
      const again = exactSolverOf(topologies, rows, member, n);
      for (let first = 0; first < n; first += chunk) {
        await pacer.breathe();
        const lps = Math.min(chunk, n - first) * count;
        const work = {
          upload: {
            load: unitsOf(rows.subarray(first * experts, (first + chunk) * experts), experts, count),
            params: solveParams(lps, kernel.sizes, { hasBase: false, hasSkip: false }),
          },
          record(encoder: GPUCommandEncoder) {
            const pass = encoder.beginComputePass({ label: "placements" });
            encodeSolve(device, pass, kernel, group, lps);
            pass.end();
          },
          bytes: { proof: lps * proofWords(gpus) * WORD },
        };
        const proofs = await job.run(work, ({ proof }) => proof.slice());
        const sets = decodeProofs(proofs, lps, gpus).member;
        for (let p = 0; p < lps; p++) {
          const batch = first + Math.floor(p / count);
          if (proofs[p * proofWords(gpus)] !== 0) again(p % count, batch);
          else member.set(sets.subarray(p * gpus, (p + 1) * gpus), ((p % count) * n + batch) * gpus);
        }
      }
      return { member, imbalance: imbalances(topologies, rows, member) };
    } finally {
      job.destroy();
    }
  };
}

/** Buffers for as many of n batches on all topologies as one dispatch may solve. */
function jobFor(device: GPUDevice, topologies: readonly Topology[], { table }: LpKernel, n: number) {
  const { gpus, experts, slots } = topologies[0];
  const words = proofWords(gpus);
  const rowBytes = WORD * Math.max(experts, slots, words) * topologies.length;
  const { maxStorageBufferBindingSize: largest } = device.limits;
  const most = Math.floor(Math.min(LONGEST_DISPATCH / topologies.length, largest / rowBytes));
  const chunk = Math.max(1, Math.min(n, most));
  const bytes = (perLp: number) => chunk * topologies.length * perLp * WORD;
  const contents = { load: bytes(experts), quota: bytes(slots), proof: bytes(words), params: SOLVE_PARAMS_BYTES };
  const options = { label: "placements", remedy: LOST, outputs: ["proof"] } as const;
  return { chunk, job: createJob(device, { ...contents, table: table.data }, options) };
}

const LOST = 'Search again, or use backend "auto" or "cpu".';

/** Each batch, as whole units of its total, once for each of `count` topologies. */
function unitsOf(rows: Float64Array, experts: number, count: number): Int32Array {
  const loads = new Int32Array(rows.length * count);
  for (let i = 0; i < loads.length; i++) {
    const batch = Math.floor(i / experts / count);
    loads[i] = Math.round(rows[batch * experts + (i % experts)] * UNITS);
  }
  return loads;
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
