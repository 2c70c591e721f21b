/** 100,000 seeded instances; `npm run test:exhaustive [-- INSTANCES]`. Exits 1 unless every one is optimal, agreed on and certified. */
import { SingleBar } from "cli-progress";
import { distribution } from "../helpers/solve.ts";
import { instancesPerSeed, sweep } from "../helpers/sweep.ts";

const wanted = Number(process.argv[2] ?? 100_000);
if (!Number.isInteger(wanted) || wanted < 1) {
  console.error(`evenkeel: INSTANCES: expected an integer >= 1, got ${process.argv[2]}.`);
  process.exit(2);
}
const seeds = [31, 32, 33, 34];
const batch = Math.ceil(wanted / (seeds.length * instancesPerSeed));
const total = batch * seeds.length * instancesPerSeed;

const bar = new SingleBar({
  format: "{bar} {value} of {total} instances, {eta_formatted} to go",
  stream: process.stderr,
});
if (process.stderr.isTTY) bar.start(total, 0);
const summary = await sweep(seeds, batch, (done) => bar.update(done));
bar.stop();

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
process.exit(perfect && summary.perturbedAccepted === 0 ? 0 : 1);
