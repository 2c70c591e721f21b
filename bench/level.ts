/** What does levelling cost? `solve` on the CPU from end to end with and without, same LPs. */
import { topologies } from "../src/index.ts";
import type { Bench } from "./harness.ts";
import { evenkeelSolve } from "./ours.ts";
import { factor } from "./row.ts";
import { graphWorkload, modelWorkload } from "./workloads.ts";

export async function levelling(bench: Bench): Promise<void> {
  for (const work of [
    graphWorkload("cube 8x2", topologies.cube8(), 8, 1024),
    graphWorkload("hypercube 16x2", topologies.hypercube16(), 8, 1024),
    modelWorkload("EP8 R16", { gpus: 8, experts: 64, redundant: 16, layers: 1 }, 256),
    modelWorkload("EP16 R32", { gpus: 16, experts: 128, redundant: 32, layers: 1 }, 256),
    modelWorkload("EP64 R64", { gpus: 64, experts: 256, redundant: 64, layers: 1 }, 64),
  ]) {
    const [levelled, plain] = await bench.compare("level", work, [
      evenkeelSolve("cpu", { level: true }),
      evenkeelSolve("cpu", {}),
    ]);
    bench.note(`${work.name}: levelled solves take ${factor(levelled, plain)} the time of others`);
  }
}
