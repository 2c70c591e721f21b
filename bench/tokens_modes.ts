/** What do whole tokens cost over fractions? `solve` from end to end in both modes, same LPs. */
import { topologies } from "../src/index.ts";
import type { Bench } from "./harness.ts";
import { evenkeelSolve } from "./ours.ts";
import { factor } from "./row.ts";
import { graphWorkload, modelWorkload } from "./workloads.ts";

export async function tokensModes(bench: Bench): Promise<void> {
  const { device } = bench;
  for (const work of [
    graphWorkload("cube 8x2", topologies.cube8(), 8, 1024),
    modelWorkload("EP16 R32", { gpus: 16, experts: 128, redundant: 32, layers: 1 }, 256),
  ]) {
    for (const options of [
      { backend: "webgpu" as const, device, kernel: "specialised" as const },
      { backend: "cpu" as const },
    ]) {
      const { backend, ...rest } = options;
      const [integer, fractional] = await bench.compare("tokens-modes", work, [
        evenkeelSolve(backend, { ...rest, tokens: "integer" }),
        evenkeelSolve(backend, { ...rest, tokens: "fractional" }),
      ]);
      bench.note(`${work.name}, ${backend}: whole tokens take ${factor(integer, fractional)} the time of fractions`);
    }
  }
}
