/** A threshold search after UltraEP: binary search on the max load, the excess spilling over, whole tokens. */
import { compile, type Kernel } from "../../src/gpu/pipeline.ts";
import { runningKernel } from "../gpu_job.ts";
import type { Method, Prepared } from "../method.ts";
import { choosers, fixedLoad, tokensOf, type Workload } from "../workloads.ts";
import wgsl from "./threshold.wgsl";

/** UltraEP's: the search ends when the bounds are this close. */
export const EPSILON = 0.01;
const LANES = 32;

const kernel = {
  name: "threshold",
  wgsl,
  includes: [],
  bindings: {
    topology: "read-only-storage",
    tokens: "read-only-storage",
    fixed: "read-only-storage",
    quota: "storage",
    params: "uniform",
  },
} satisfies Kernel;

/** Twin of threshold.wgsl: tokens per replica [R]. */
export function searchThreshold(work: Workload, lp: number): Int32Array {
  const { topology } = work.layers[lp % work.layers.length];
  const { replicaStart, replicaGpu } = topology;
  const fixed = fixedLoad(work, lp);
  const several = choosers(topology);
  const weight = several.map((e) => tokensOf(work, lp, e));
  const even = new Int32Array(replicaGpu.length);
  const evenLoad = fixed.slice();
  for (const [i, e] of several.entries()) {
    const count = replicaStart[e + 1] - replicaStart[e];
    for (let k = 0; k < count; k++) {
      const r = replicaStart[e] + k;
      even[r] = Math.floor(weight[i] / count) + (k < weight[i] % count ? 1 : 0);
      evenLoad[replicaGpu[r]] += even[r];
    }
  }

  function spill(T: number): Int32Array<ArrayBuffer> | undefined {
    const x = even.slice();
    const load = evenLoad.slice();
    for (const e of several) {
      for (let r = replicaStart[e]; r < replicaStart[e + 1]; r++) {
        for (let k = replicaStart[e]; k < replicaStart[e + 1]; k++) {
          const [i, j] = [replicaGpu[r], replicaGpu[k]];
          const spilled = Math.max(0, Math.min(load[i] - T, T - load[j], x[r]));
          x[r] -= spilled;
          x[k] += spilled;
          load[i] -= spilled;
          load[j] += spilled;
        }
      }
    }
    return load.every((tokens) => tokens <= T) ? x : undefined;
  }

  let best = even;
  const total = fixed.reduce((a, b) => a + b) + weight.reduce((a, b) => a + b, 0);
  let low = Math.max(...fixed, Math.trunc(total / work.gpus)) - 1;
  let high = Math.max(...evenLoad);
  while (high - low > Math.max(1, Math.trunc(Math.fround(EPSILON) * high))) {
    const middle = low + Math.trunc((high - low) / 2);
    const x = spill(middle);
    if (x) best = x;
    if (x) high = middle;
    else low = middle;
  }
  return withSingles(work, lp, best);
}

/** Experts without a choice, which the search leaves out, have all their tokens on their replica. */
function withSingles(work: Workload, lp: number, x: Int32Array): Int32Array {
  const { experts, replicaStart } = work.layers[lp % work.layers.length].topology;
  for (let e = 0; e < experts; e++) {
    if (replicaStart[e + 1] - replicaStart[e] === 1) x[replicaStart[e]] = tokensOf(work, lp, e);
  }
  return x;
}

export function thresholdSearch(device: GPUDevice): Method {
  async function prepare(work: Workload): Promise<Prepared> {
    const { gpus, batch, layers } = work;
    const { topology, stride, experts, replicas, replicasOf } = packTopologies(work);
    const shape = { MAX_GPUS: gpus, MAX_EXPERTS: experts, MAX_REPLICAS: replicas };
    const compiled = await compile(device, kernel, shape, { WG: LANES, EPSILON });
    const contents = {
      topology,
      ...packLoads(work, experts),
      quota: batch * replicas * 4,
      params: Uint32Array.of(batch, layers.length, stride, 0),
    };
    const running = runningKernel(device, compiled, contents, ["quota"], Math.ceil(batch / LANES));
    return {
      ...running,
      answer() {
        const quota = running.words("quota");
        return (lp) => {
          const layer = lp % layers.length;
          const x = new Int32Array(layers[layer].topology.replicaGpu.length);
          for (const [i, r] of replicasOf[layer].entries()) x[r] = quota[lp * replicas + i];
          return withSingles(work, lp, x);
        };
      },
    };
  }
  return { name: "threshold search", tokens: "integer", exact: false, prepare };
}

/**
 * The replicas that have a choice, expert by expert, as threshold.wgsl reads them: a record of `stride` words per layer.
 *
 * @returns experts, replicas  the most of any layer.
 * @returns replicasOf  [L] lists: of the layer's replicas those in its record.
 */
function packTopologies({ layers }: Workload) {
  const severals = layers.map(({ topology }) => choosers(topology));
  const experts = Math.max(...severals.map(({ length }) => length));
  const replicasOf = layers.map(({ topology: { replicaStart } }, layer) =>
    severals[layer].flatMap((e) =>
      Array.from({ length: replicaStart[e + 1] - replicaStart[e] }, (_, k) => replicaStart[e] + k),
    ),
  );
  const replicas = Math.max(...replicasOf.map(({ length }) => length));
  const stride = 2 + experts + replicas;
  const packed = new Uint32Array(layers.length * stride);
  for (const [layer, { topology }] of layers.entries()) {
    const { replicaStart, replicaGpu } = topology;
    const at = layer * stride;
    packed[at] = severals[layer].length;
    let first = 0;
    for (const [i, e] of severals[layer].entries()) packed[at + 2 + i] = first += replicaStart[e + 1] - replicaStart[e];
    packed.set(
      replicasOf[layer].map((r) => replicaGpu[r]),
      at + 2 + experts,
    );
  }
  return { topology: packed, stride, experts, replicas, replicasOf };
}

/** Of each LP the tokens of the experts with a choice, in rows of `experts`, and the load of all others, [B, G]. */
function packLoads(work: Workload, experts: number) {
  const { gpus, batch, layers } = work;
  const severals = layers.map(({ topology }) => choosers(topology));
  const tokens = new Int32Array(batch * experts);
  const fixed = new Int32Array(batch * gpus);
  for (let lp = 0; lp < batch; lp++) {
    tokens.set(
      severals[lp % layers.length].map((e) => tokensOf(work, lp, e)),
      lp * experts,
    );
    fixed.set(fixedLoad(work, lp), lp * gpus);
  }
  return { tokens, fixed };
}
