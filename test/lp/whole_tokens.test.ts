import { describe, expect, test } from "vitest";
import { certify, Placement, rebalanceExperts, solveLoadBalanceLP } from "../../src/index.ts";
import { needsRecordedData, recordedDataPresent, recordedJson } from "../helpers/recorded.ts";
import { distribution } from "../helpers/solve.ts";
import { instancesPerSeed, sweep } from "../helpers/sweep.ts";

// The whole of it, 100,000 instances, is `npm run test:exhaustive`.
test("every shape, family and kind of speeds: optimal to the token on both backends", {
  timeout: 300_000,
}, async () => {
  const batch = 12;
  const { moves, failures, finishedOnCpu, ...summary } = await sweep([21], batch);
  console.log(`${summary.instances} instances, ${finishedOnCpu} finished on the CPU; moves: ${distribution(moves)}`);
  const total = batch * instancesPerSeed;
  expect(failures).toEqual([]);
  expect(summary).toMatchObject({
    instances: total,
    optimal: { webgpu: total, cpu: total },
    disagreements: 0,
    uncertified: 0,
    perturbedAccepted: 0,
  });
});

describe.skipIf(!recordedDataPresent)(`recorded loads ${needsRecordedData}`, () => {
  /** One placement per layer, planned on the mean load of all steps; then each step is solved. */
  async function solveRecorded(steps: number[][][], gpus: number, redundant: number) {
    const layers = steps[0].length;
    const experts = steps[0][0].length;
    let solved = 0;
    for (let layer = 0; layer < layers; layer++) {
      const mean = new Array<number>(experts).fill(0);
      for (const step of steps) for (const [e, tokens] of step[layer].entries()) mean[e] += tokens;
      const { physicalToLogical } = rebalanceExperts([mean], { replicas: experts + redundant, gpus });
      const placement = Placement.fromPhysicalToLogical(physicalToLogical[0], { gpus });
      const problem = { placement, expertLoad: Int32Array.from(steps.flatMap((step) => step[layer])) };
      const webgpu = await solveLoadBalanceLP(problem, { backend: "webgpu" });
      const cpu = await solveLoadBalanceLP(problem, { backend: "cpu" });
      expect(webgpu.maxLoad, `layer ${layer}`).toEqual(cpu.maxLoad);
      for (const solution of [webgpu, cpu]) {
        const verdicts = new Set(certify(problem, solution).map(({ verdict }) => verdict));
        expect(verdicts, `layer ${layer} on ${solution.backend}`).toEqual(new Set(["optimal"]));
      }
      solved += webgpu.batch;
    }
    return solved;
  }

  test("gpt-oss decode: every layer, every 5th step", async () => {
    const loads: number[][][] = recordedJson("moe/gptoss20b_decode_step_loads.json.gz").loads;
    const solved = await solveRecorded(
      loads.filter((_, step) => step % 5 === 0),
      8,
      8,
    );
    expect(solved).toBe(24 * 103);
  });

  test("Qwen3 prefill: every layer of both runs, on 8 and on 16 GPUs", async () => {
    const { runs } = recordedJson("moe/qwen3_30b_a3b_prefill_loads.json");
    const steps = Object.values<{ loads: number[][] }>(runs).map(({ loads }) => loads);
    expect(await solveRecorded(steps, 8, 16)).toBe(48 * 2);
    expect(await solveRecorded(steps, 16, 32)).toBe(48 * 2);
  });
});
