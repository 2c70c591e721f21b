import { distribution } from "../helpers/solve.ts";
import { instancesPerSeed, sweep } from "../helpers/sweep.ts";

const SEEDS = [31, 32, 33, 34];

/** Every instance optimal on both backends, agreed on and certified, and no spoiled copy accepted. */
export async function wholeTokens(
  instances: number,
  onProgress: (done: number, total: number) => void,
): Promise<boolean> {
  const batch = Math.ceil(instances / (SEEDS.length * instancesPerSeed));
  const total = batch * SEEDS.length * instancesPerSeed;
  const summary = await sweep(SEEDS, batch, (done) => onProgress(done, total));
  for (const failure of summary.failures.slice(0, 20)) console.log(failure);
  console.log(`instances             ${summary.instances}`);
  console.log(`optimal on WebGPU     ${summary.optimal.webgpu}`);
  console.log(`optimal on the CPU    ${summary.optimal.cpu}`);
  console.log(`disagreements         ${summary.disagreements}`);
  console.log(`not certified         ${summary.uncertified}`);
  console.log(`perturbed, accepted   ${summary.perturbedAccepted}`);
  console.log(`finished on the CPU   ${summary.finishedOnCpu}`);
  console.log(`moves                 ${distribution(summary.moves)}`);
  console.log(`iterations            ${distribution(summary.iterations)}`);
  const perfect = summary.optimal.webgpu === total && summary.optimal.cpu === total && summary.failures.length === 0;
  return perfect && summary.perturbedAccepted === 0;
}
