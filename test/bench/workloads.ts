/** Small workloads for the tests of the baselines: LPLB's graphs and EPLB placements. */
import { graphWorkload, modelWorkload, type Workload } from "../../bench/workloads.ts";
import { topologies } from "../../src/index.ts";

export const graphs: Record<string, Workload> = {
  cube: graphWorkload("cube 8x2", topologies.cube8(), 8, 64),
  hypercube: graphWorkload("hypercube 16x2", topologies.hypercube16(), 16, 32),
  torus: graphWorkload("torus 8x4", topologies.torus2d(8, 4), 8, 16),
};

export const models: Record<string, Workload> = {
  "EP8 R16": modelWorkload("EP8 R16", { gpus: 8, experts: 64, redundant: 16, layers: 4 }, 32),
  "EP16 R32": modelWorkload("EP16 R32", { gpus: 16, experts: 128, redundant: 32, layers: 4 }, 32),
};

export const percent = (share: number) => `${(100 * share).toFixed(4)} %`;
