/** What is balancing time worth over balancing tokens, how far is it from what is proven, and what does it cost? */

import { createSolver, type ExpertCost, expertCostRows, fitExpertCost, type Placement } from "../src/index.ts";
import { compareSteps, fluctuating, Means } from "./compared_times.ts";
import type { Bench } from "./harness.ts";
import { givenLoads } from "./ours.ts";
import { time } from "./timing.ts";
import { modelWorkload } from "./workloads.ts";

const DECODE: ExpertCost = { model: "roofline", perExpert: 6.3, perToken: 0.035 };
const DEEPSEEK: ExpertCost = { model: "roofline", perExpert: 16.5, perToken: 0.06 };

export async function times(bench: Bench): Promise<void> {
  await speed(bench);
  await grid(bench);
  const { recorded } = bench.host;
  if (recorded) await onRecorded(bench, recorded);
  else bench.note("time: SKIPPED the recorded loads, which are not here");
}

/** Solves from end to end, as ratios to tokens on the same backend. */
async function speed(bench: Bench): Promise<void> {
  for (const [name, shape] of [
    ["EP8 R16", { gpus: 8, experts: 64, redundant: 16, layers: 1 }],
    ["EP16 R32", { gpus: 16, experts: 128, redundant: 32, layers: 1 }],
    ["EP32 R32", { gpus: 32, experts: 256, redundant: 32, layers: 1 }],
  ] as const) {
    const work = modelWorkload(name, shape, 256);
    const loads = givenLoads(work, 0) as { expertLoad: Int32Array };
    const mean = loads.expertLoad.reduce((a, b) => a + b) / loads.expertLoad.length;
    const turn = (share: number): ExpertCost => ({ model: "roofline", perExpert: share * mean, perToken: 1 });
    const costs: Record<string, ExpertCost | undefined> = {
      tokens: undefined,
      linear: { model: "affine", perExpert: 0, perToken: 0.035 },
      activated: { model: "roofline", perExpert: 6.3, perToken: 0 },
      tiles: { model: "affine", perExpert: 0, perToken: 0.035, tile: Math.ceil(mean / 8) },
      "roofline, turning at twice the mean": turn(2),
      "roofline, turning at the mean": turn(1),
      "roofline, turning at half the mean": turn(0.5),
      affine: { model: "affine", perExpert: mean, perToken: 1 },
    };
    for (const backend of ["cpu", "webgpu"] as const) {
      const took: Record<string, number> = {};
      for (const [kind, cost] of Object.entries(costs)) {
        const solver = await createSolver(work.layers[0].form as Placement, {
          ...{ backend, device: bench.device },
          ...(cost ? { cost } : backend === "webgpu" && { kernel: "lane" }),
        });
        await solver.ready; // by tokens on the CPU: the program for this topology
        const run = async () => {
          await solver.solve(loads);
        };
        const { status } = await solver.solve(loads);
        if (["linear", "activated", "tiles"].includes(kind) && status.includes("gap"))
          throw new Error(`${kind}: a gap`);
        const timing = await time({ run }, bench.effort);
        bench.row("time", `${backend}, by ${kind}`, work, timing);
        took[kind] = timing.medianUs;
        solver.destroy();
      }
      const ratios = Object.entries(took).map(([kind, us]) => `${kind} ${(us / took.tokens).toFixed(2)}`);
      bench.note(
        `${name}, batch 256, ${backend}: solve by ${ratios.slice(1).join("; ")} x the time by tokens${backend === "webgpu" ? " on the lane kernel" : ""}`,
      );
    }
  }
}

/** DeepSeek's shape at batches of very different sizes. */
async function grid(bench: Bench): Promise<void> {
  const layers = bench.quick ? 4 : 16;
  for (const assignments of [512, 4096, 16_384, 65_536, 262_144]) {
    for (const [gpus, redundant] of [
      [8, 16],
      [32, 32],
    ]) {
      const means = new Means();
      for (let layer = 0; layer < layers; layer++) {
        const steps = fluctuating(256, assignments, 60, layer);
        await compareSteps(means, steps, gpus, redundant, DEEPSEEK);
      }
      bench.note(
        `256 experts, EP${gpus} R${redundant}, ${assignments} assignments, roofline 16.5, 0.06: ${means.inWords()}`,
      );
    }
  }
}

/** The gpt-oss decode loads, all layers. */
async function onRecorded(bench: Bench, read: (path: string) => string): Promise<void> {
  const every = bench.quick ? 8 : 1;
  const all: number[][][] = JSON.parse(read("moe/gptoss20b_decode_step_loads.json.gz")).loads;
  const steps = all.filter((_, i) => i % every === 0);
  const table = read("perf/llmservingsim_qwen3_30b_a3b_rtxpro6000_tp1_moe.csv");
  const fitted = fitExpertCost(expertCostRows(table, { topK: 8 }));
  for (const [name, cost] of [
    ["roofline 6.3, 0.035", DECODE],
    [`the RTX table, fitted to ${(100 * fitted.error).toFixed(1)} %`, fitted.cost],
  ] as const) {
    for (const redundant of [8, 16]) {
      const means = new Means();
      for (const layer of all[0].keys()) {
        await compareSteps(
          means,
          steps.map((step) => step[layer]),
          8,
          redundant,
          cost,
        );
      }
      bench.note(
        `gpt-oss decode, 24 layers, every ${every === 1 ? "" : `${every}th `}step, EP8 R${redundant}, ${name}: ${means.inWords()}`,
      );
    }
  }
}
