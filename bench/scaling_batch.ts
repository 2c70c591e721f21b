/** How does the time per LP fall with the batch, for every method, and does "auto" choose well at every size? */
import { topologies } from "../src/index.ts";
import { affineLane } from "./baselines/affine_kernels.ts";
import { edgeBalance } from "./baselines/edge_balance.ts";
import { MOST_ONE_BY_ONE, yalps } from "./baselines/general.ts";
import { edgeBalanceSimd, thresholdSimd } from "./baselines/simd_rivals.ts";
import { thresholdSearch } from "./baselines/threshold.ts";
import type { Bench } from "./harness.ts";
import { simdAlone } from "./kernels_alone.ts";
import { evenkeelKernels, evenkeelSolve, evenkeelSolveExact } from "./ours.ts";
import { factor } from "./row.ts";
import { firstOf, graphWorkload, modelWorkload, repeated } from "./workloads.ts";

const BATCHES = [1, 8, 64, 512, 4096];
/** What fills a GPU, where there is one: the largest of these so many times. */
const FILLS = 16;

export async function scalingBatch(bench: Bench): Promise<void> {
  const { device, host } = bench;
  const general = host.highs ? [yalps, host.highs] : [yalps];
  const most = BATCHES[BATCHES.length - 1];
  const cube = graphWorkload("cube 8x2", topologies.cube8(), 8, most);
  const works = [cube];
  works.push(modelWorkload("EP16 R32", { gpus: 16, experts: 128, redundant: 32, layers: 1 }, most));
  if (!bench.quick) works.push(graphWorkload("torus 8x4", topologies.torus2d(8, 4), 8, most));
  for (const work of works) {
    const sizes = BATCHES.map((batch) => firstOf(work, batch));
    if (!bench.software) sizes.push(repeated(work, FILLS));
    for (const sized of sizes) {
      const { batch } = sized;
      if (work === cube) {
        // As in solve-batch: on the GPU from resident inputs, on the CPU one LP at a time whatever the batch.
        const methods = [...evenkeelKernels(bench), affineLane(device, "edge")];
        methods.push(simdAlone, edgeBalanceSimd, thresholdSimd, evenkeelSolveExact);
        methods.push(edgeBalance(device), thresholdSearch(device), ...(batch <= MOST_ONE_BY_ONE ? general : []));
        await bench.compare("scaling-batch", sized, methods);
      }
      const [webgpu, cpu, auto] = await bench.compare("scaling-batch", sized, [
        evenkeelSolve("webgpu", { device, kernel: "specialised" }),
        evenkeelSolve("cpu", {}),
        evenkeelSolve("auto", {}), // finds its own device, as a user's does
      ]);
      const better = webgpu.usPerLp < cpu.usPerLp ? webgpu : cpu;
      bench.note(
        `${work.name}, batch ${batch}: auto takes ${factor(auto, better)} the time of the better, ${better.solver}`,
      );
    }
  }
}
