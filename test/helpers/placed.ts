/** What a placement is worth, and what is wrong with it, recomputed. */
import {
  type LoadHistory,
  type Numbers,
  type OptimizeOptions,
  type Placement,
  solveLoadBalanceLP,
} from "../../src/index.ts";

/** Imbalances of the steps of a layer, by the solver alone: t* over the time of a perfect balance. Steps without load are left out. */
export async function imbalances(history: LoadHistory, layer: number, placement: Placement, speed?: number[]) {
  const { steps, layers, experts } = history;
  const loads = history.loads as Numbers;
  const { gpus } = placement;
  const rows = Array.from({ length: steps }, (_, step) => {
    const at = (step * layers + layer) * experts;
    return Array.from({ length: experts }, (_, e) => loads[at + e]);
  }).filter((row) => row.some((load) => load > 0));
  if (rows.length === 0) return [1];
  const problem = { placement, expertLoad: rows.flat(), speed };
  const { maxLoad } = await solveLoadBalanceLP(problem, { backend: "cpu", tokens: "fractional" });
  const total = speed ? speed.reduce((a, b) => a + b) : gpus;
  return rows.map((row, i) => (maxLoad[i] * total) / row.reduce((a, b) => a + b));
}

export const mean = (values: readonly number[]) => values.reduce((a, b) => a + b) / values.length;

/** What is wrong with a placement, recomputed from its map and the request alone. */
export function faults(placement: Placement, experts: number, options: OptimizeOptions): string[] {
  const { gpus, redundant, nodes = 1, slotsPerGpu } = options;
  const { physicalToLogical, gpuOf } = placement;
  const found: string[] = [];
  const require = (holds: boolean, what: string) => void (holds || found.push(what));
  require(placement.gpus === gpus && placement.logicalExperts === experts, "size");
  require(physicalToLogical.length === experts + redundant, "slots");
  const rows = Array.from({ length: gpus }, (_, g) => [...physicalToLogical].filter((_, p) => gpuOf[p] === g));
  for (const [g, row] of rows.entries()) {
    const room = typeof slotsPerGpu === "object" ? slotsPerGpu[g] : (slotsPerGpu ?? (experts + redundant) / gpus);
    require(slotsPerGpu === undefined ? row.length === room : row.length <= room, `slots on GPU ${g}`);
    require(new Set(row).size === row.length, `an expert twice on GPU ${g}`);
  }
  for (let e = 0; e < experts; e++) {
    const homes = rows.flatMap((row, g) => (row.includes(e) ? [Math.floor((g * nodes) / gpus)] : []));
    require(homes.length > 0, `expert ${e} has no slot`);
    require(new Set(homes).size <= 1 || nodes === 1, `expert ${e} on several nodes`);
  }
  return found;
}
