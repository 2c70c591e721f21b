/** `npm run test:exhaustive -- NAME [INSTANCES]`: a bar in full, of which `npm test` runs a slice. Exits 1 where it is not met. */
import { SingleBar } from "cli-progress";
import { levelled } from "./level.ts";
import { simdPath } from "./simd.ts";
import { survivors } from "./survivors.ts";
import { timed } from "./time.ts";
import { wholeTokens } from "./whole_tokens.ts";

/** Checks about so many seeded instances, prints figures, and returns whether all of them are as they should be. */
export type Exhaustive = (instances: number, onProgress: (done: number, total: number) => void) => Promise<boolean>;

const bars: Record<string, Exhaustive> = {
  "whole-tokens": wholeTokens,
  simd: simdPath,
  level: levelled,
  survivors,
  time: timed,
};
const DEFAULT_INSTANCES = 100_000;

const [name, given] = process.argv.slice(2);
const instances = Number(given ?? DEFAULT_INSTANCES);
if (name === undefined || !Object.hasOwn(bars, name)) {
  console.error(`evenkeel: NAME: expected ${Object.keys(bars).join(" or ")}, got ${name}.`);
  process.exit(2);
}
if (!Number.isInteger(instances) || instances < 1) {
  console.error(`evenkeel: INSTANCES: expected an integer >= 1, got ${given}.`);
  process.exit(2);
}

const bar = new SingleBar({
  format: "{bar} {value} of {total} instances, {eta_formatted} to go",
  stream: process.stderr,
});
if (process.stderr.isTTY) bar.start(instances, 0);
const met = await bars[name](instances, (done, total) => {
  bar.setTotal(total);
  bar.update(done);
});
bar.stop();
process.exit(met ? 0 : 1);
