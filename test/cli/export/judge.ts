/** What exported code answered, against the placement and the exact solver: everything recomputed from the problem. */
import { type Placement, quotaToShares } from "../../../src/index.ts";
import { exactSolver } from "../../../src/lp/exact.ts";
import { topologyOfPlacement } from "../../../src/lp/topology.ts";
import type { Answered, Batch } from "../../helpers/exported.ts";

/** Checks LP after LP of batches of one placement. */
export function judgeOf(placement: Placement): (batch: Batch, answer: Answered, lp: number) => string[] {
  const { gpus, logicalExperts: experts, physicalExperts: slots, physicalToLogical, gpuOf } = placement;
  const topology = topologyOfPlacement(placement, new Float64Array(gpus).fill(1));
  const exact = exactSolver(topology);
  const on = Array.from({ length: experts }, (_, e) => [...gpuOf].filter((_, slot) => physicalToLogical[slot] === e));

  function optimumOf(load: Int32Array, base: Int32Array): number {
    const x = new Float64Array(topology.replicaGpu.length);
    const loads = { batch: 1, expertLoad: Float64Array.from(load), baseLoad: Float64Array.from(base) };
    exact.solve({ ...loads, tokens: "integer" }, 0, x, new Uint8Array(gpus));
    const held = Float64Array.from(base);
    for (const [r, g] of topology.replicaGpu.entries()) held[g] += x[r];
    return held.reduce((a, b) => Math.max(a, b));
  }

  const optima = new Map<Batch, number[]>(); // of batches that come again, from another target's library

  return (batch, { quota: quotas, proof }, lp) => {
    const { load: loads, base: bases } = batch;
    const load = loads.subarray(lp * experts, (lp + 1) * experts);
    const base = bases?.subarray(lp * gpus, (lp + 1) * gpus) ?? new Int32Array(gpus);
    const quota = quotas.subarray(lp * slots, (lp + 1) * slots);
    const words = proof.length / (quotas.length / slots);
    const [status, , , ...set] = proof.subarray(lp * words, (lp + 1) * words);
    const faults: string[] = [];

    const left = Float64Array.from(load);
    const held = Float64Array.from(base);
    const most = new Map<string, [number, number]>();
    for (const [slot, tokens] of quota.entries()) {
      const e = physicalToLogical[slot];
      if (tokens < 0 || (e < 0 && tokens !== 0)) faults.push(`slot ${slot} gets ${tokens}`);
      if (e < 0) continue;
      left[e] -= tokens;
      held[gpuOf[slot]] += tokens;
      const [least, largest] = most.get(`${e} ${gpuOf[slot]}`) ?? [tokens, tokens];
      most.set(`${e} ${gpuOf[slot]}`, [Math.min(least, tokens), Math.max(largest, tokens)]);
    }
    for (const [least, largest] of most.values()) if (largest - least > 1) faults.push("uneven within a GPU");
    for (const [e, tokens] of left.entries())
      if (tokens !== 0 && on[e].length > 0) faults.push(`expert ${e} not served`);

    const member = held.map((_, g) => (set[g >> 5] >>> (g & 31)) & 1);
    const size = member.reduce((a, b) => a + b);
    let inside = 0;
    for (const [g, tokens] of base.entries()) if (member[g]) inside += tokens;
    for (const [e, gs] of on.entries()) if (gs.length > 0 && gs.every((g) => member[g])) inside += load[e];
    const bound = Math.ceil(inside / size);
    const maxLoad = held.reduce((a, b) => Math.max(a, b));
    const known = optima.get(batch) ?? [];
    optima.set(batch, known);
    known[lp] ??= optimumOf(load, base);
    const optimum = known[lp];
    if (status !== 0) faults.push(`status ${status}`);
    if (maxLoad !== optimum || bound !== optimum) faults.push(`max ${maxLoad}, bound ${bound}, optimum ${optimum}`);
    return faults;
  };
}

/** log2phy_prob of one LP as the package has it, X wide. */
export function expectedShares(placement: Placement, quota: Int32Array, width: number): number[] {
  const rows = quotaToShares([placement], quota)[0];
  return rows.flatMap((row) => [...row, ...new Array<number>(width - row.length).fill(0)]);
}
