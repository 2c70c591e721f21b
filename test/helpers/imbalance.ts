/** The oracle of imbalance reports: recomputes one from counts or quotas and placements alone, slot by slot. */
import { expect } from "vitest";
import type { ImbalanceReport, Placement } from "../../src/index.ts";

/** All that a report says, recomputed slot by slot from counts [L][E] or quotas [L][P], and base loads [L][G]. */
export function recomputed(
  placements: readonly Placement[],
  counts: number[][],
  quota?: number[][],
  baseLoad?: readonly (readonly number[])[],
) {
  return counts.map((row, l) => {
    const { gpus, physicalToLogical, replicaCount, gpuOf } = placements[l % placements.length];
    const load = Array.from({ length: gpus }, (_, g) => baseLoad?.[l][g] ?? 0);
    const active = new Array<number>(gpus).fill(0);
    const passed = new Array<number>(row.length).fill(0);
    physicalToLogical.forEach((e, slot) => {
      const i = passed[e]++; // the i-th of the slots of e, which without quotas takes the i-th of equal parts, rounded down from 0
      const before = Math.floor((row[e] * i) / replicaCount[e]);
      const tokens = quota ? quota[l][slot] : Math.floor((row[e] * (i + 1)) / replicaCount[e]) - before;
      load[gpuOf[slot]] += tokens;
      if (tokens > 0) active[gpuOf[slot]]++;
    });
    const max = Math.max(...load);
    const mean = load.reduce((a, b) => a + b) / gpus;
    const variance = load.reduce((sum, tokens) => sum + (tokens - mean) ** 2, 0) / gpus;
    return {
      gpuLoad: load,
      max,
      mean,
      imbalance: mean === 0 ? 1 : max / mean,
      balancedness: mean === 0 ? 1 : mean / max,
      idleTokens: load.reduce((sum, tokens) => sum + max - tokens, 0),
      variation: mean === 0 ? 0 : Math.sqrt(variance) / mean,
      hottestGpu: load.indexOf(max),
      activeExperts: active,
      maxActiveExperts: Math.max(...active),
    };
  });
}

const ratios: readonly string[] = ["imbalance", "balancedness", "variation"];

/** Holds a report against what was recomputed. */
export function expectReport(found: ImbalanceReport, expected: ReturnType<typeof recomputed>) {
  for (const field of Object.keys(expected[0]) as (keyof (typeof expected)[0])[]) {
    const values = expected.flatMap((layer) => layer[field]);
    expect(found[field].length, field).toBe(values.length);
    // Integers exactly; ratios within 1e-6: f32 on WebGPU.
    const tolerance = ratios.includes(field) ? 1e-6 : 0;
    const wrong = values.findIndex((value, i) => !(Math.abs(found[field][i] - value) <= tolerance * value));
    expect(wrong, `${field}: ${found[field][wrong]}, expected ${values[wrong]}`).toBe(-1);
  }
}
