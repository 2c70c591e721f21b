/** What does an LP take by exported CUDA on a GPU, by batch, beside the same solve in WebGPU and on a core? */
import { topologies } from "../src/index.ts";
import type { Bench } from "./harness.ts";
import { simdAlone } from "./kernels_alone.ts";
import { evenkeel } from "./ours.ts";
import { factor } from "./row.ts";
import { firstOf, graphWorkloadOfExperts, modelWorkload, repeated } from "./workloads.ts";

const QUESTION = "cuda";
/** LPs that differ; larger batches are these again and again, so that all sizes have the same mix. */
const DRAWN = 256;
const BATCHES = [1, 64, 4096, 65_536];

export async function cudaQuestion(bench: Bench): Promise<void> {
  const { exportedCuda, nvcc } = bench.host;
  if (!exportedCuda || !nvcc) {
    bench.note(`${QUESTION}: no nvcc, or no GPU of NVIDIA's here`);
    return;
  }
  const model = (gpus: number, experts: number, redundant: number) =>
    modelWorkload(`EP${gpus} R${redundant}`, { gpus, experts, redundant, layers: 1 }, DRAWN);
  for (const work of [
    graphWorkloadOfExperts("cube 8x2, 64 experts", topologies.cube8(), 8, DRAWN),
    ...[model(8, 64, 16), model(16, 128, 32), model(32, 256, 32)],
  ]) {
    for (const batch of BATCHES) {
      const own = batch < DRAWN ? firstOf(work, batch) : repeated(work, batch / DRAWN);
      const methods = [exportedCuda, evenkeel(bench.device, "specialised"), simdAlone];
      const [cuda, ...others] = await bench.compare(QUESTION, own, methods);
      for (const row of others)
        bench.note(`${own.name}, batch ${batch}: ${row.solver} takes ${factor(row, cuda)} the time of ${cuda.solver}`);
    }
  }
  bench.note(`CUDA by ${nvcc.version}`);
}
