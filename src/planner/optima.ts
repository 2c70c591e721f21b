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
import { type Topology, topologyOfPlacement } from "../lp/topology.ts";
import { UNITS } from "../lp/units.ts";
import { Arrangement, type Machine, placementOf, type Rows } from "./arrangement.ts";
import type { Pacer } from "./pacer.ts";
import { SoloRouter } from "./router.ts";

/**
 * [K][n] imbalances of K placements on n batches: t* over what a perfect balance would take.
 *
 * @param shares  [n, E] loads, each batch adding up to 1.
 */
export type FindOptima = (
  machine: Machine,
  placements: readonly Rows[],
  shares: Float64Array,
) => Promise<readonly Float64Array[]>;

/** Batch by batch on the CPU, exactly. */
export function optimaOnCpu(pacer: Pacer): FindOptima {
  return async (machine, placements, shares) => {
    const { experts, speed } = machine;
    const total = speed.reduce((a, b) => a + b);
    const loads = shares.map((share) => share * total);
    const found = placements.map(() => new Float64Array(shares.length / experts));
    for (const [i, rows] of placements.entries()) {
      const distinct = rows.map((row) => [...new Set(row)]); // a second slot on the same GPU is of no use
      const capacity = Int32Array.from(distinct, ({ length }) => length);
      const solo = new SoloRouter(new Arrangement({ ...machine, capacity }, distinct));
      for (let lp = 0; lp < found[i].length; lp++) {
        await pacer.breathe();
        found[i][lp] = solo.optimum(loads, lp * experts);
      }
    }
    return found;
  };
}

/**
 * In one dispatch for all placements: LP p solves batch floor(p / K) on the topology of record p % K. What the kernel cannot close, and that is rare, the CPU
 * solves again.
 *
 * @throws {DeviceError} The device was lost, or no kernel takes the topologies on it.
 */
export function optimaOnGpu(device: GPUDevice, pacer: Pacer): FindOptima {
  return async (machine, placements, rows) => {
    const topologies = placements.map((one) => topologyOfPlacement(placementOf(one), machine.speed));
    const { gpus, experts } = machine;
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
      return imbalances(topologies, rows, member);
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

/** [K][n] what the bottleneck sets prove, recomputed from the loads. */
function imbalances(topologies: readonly Topology[], rows: Float64Array, member: Uint8Array): Float64Array[] {
  const { gpus, experts, speed } = topologies[0];
  const n = rows.length / experts;
  const total = speed.reduce((a, b) => a + b);
  return topologies.map((topology, i) =>
    Float64Array.from({ length: n }, (_, lp) => {
      const at = (i * n + lp) * gpus;
      const set = member.subarray(at, at + gpus);
      const inside = insideLoad(topology, rows, undefined, lp, set);
      return cutBound(inside, [...speed.filter((_, g) => set[g])], "fractional") * total;
    }),
  );
}
