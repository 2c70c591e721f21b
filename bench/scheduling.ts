/**
 * How long does a scheduler take to decide who begins, at 256 running and 1,000 waiting requests?
 *
 *   node scripts/run.mjs bench/scheduling.ts [--json FILE]
 *
 * One worker whose slots are full but for those that become free: before each decision the next request ends and as many come as have begun, so that 1,000
 * always wait. Only `admit` is timed. With the worker's steps, and where what each has made is read from the running requests: once as it is
 * expected, once with a prompt in chunks, whose requests lag behind. Lengths are exponential, with means of 360 and 60 tokens; a line
 * per policy that checks the future.
 */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { plainTable } from "../src/cli/print/plain_table.ts";
import { seeded } from "../src/common/random.ts";
import { type RequestView, type SchedulingPolicy, scheduling, type WorkerView } from "../src/serving.ts";

const SLOTS = 256;
const WAITING = 1000;
const DECISIONS = 6000;
/** About what 256 such requests hold. */
const KV_TOKENS = 120_000;

type Signals = "steps" | "running" | "chunks";
type Live = RequestView & { generated: number; predicted: number; lag: number };

const { values } = parseArgs({ options: { json: { type: "string" } } });
const policies = [scheduling.fcfs({ admission: "future" }), scheduling.mcsf(), scheduling.svf(), scheduling.sortedF()];
const rows = policies.flatMap((policy) =>
  (["steps", "running", "chunks"] as const).map((signals) => ({
    policy: policy.name,
    signals,
    ...decide(policy, signals),
  })),
);
console.log(`${WAITING} waiting on ${SLOTS} slots; ${cpus()[0].model}, Node ${process.version}\n`);
console.log(
  plainTable([
    ["policy", "progress by", "running", "begun", "median us", "p95 us", "mean us"],
    ...rows.map(({ policy, signals, ...figures }) => [
      policy,
      signals,
      ...Object.values(figures).map((x) => x.toFixed(2)),
    ]),
  ]),
);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ rows }, null, 1)}\n`);

function decide(policy: SchedulingPolicy, signals: Signals) {
  const random = seeded(1);
  const scheduler = policy.create({ slots: SLOTS, kvTokens: KV_TOKENS, seed: 0 });
  const waiting = new Map<number, Live>();
  const length = (mean: number) => 1 + Math.floor(-mean * Math.log(1 - random.next()));
  let ids = 0;
  const come = () => {
    const one: Live = { id: ids++, arrival: 0, input: length(360), generated: 0, predicted: length(60), lag: 0 };
    waiting.set(one.id, one);
    scheduler.arrived(one);
  };
  const out = new Int32Array(SLOTS + 1);
  const times: number[] = [];
  let running: Live[] = [];
  let steps = 0;
  let ran = 0;
  let begun = 0;
  for (let k = 0; k < DECISIONS; k++) {
    while (waiting.size < WAITING) come();
    const freeKv = running.reduce((free, { input, generated }) => free - input - generated - 1, KV_TOKENS);
    const view: WorkerView = { index: 0, freeSlots: SLOTS - running.length, freeKv, waiting: WAITING, running };
    const seen = signals === "running" ? view : { ...view, steps };
    const start = performance.now();
    const count = scheduler.admit(seen, steps, out);
    times.push((performance.now() - start) * 1e3);
    for (const id of out.subarray(0, count)) {
      const one = waiting.get(id)!;
      one.lag = signals === "chunks" ? random.below(4) : 0;
      running.push(one);
      waiting.delete(id);
    }
    ran += running.length / DECISIONS;
    begun += count / DECISIONS;
    const passed = Math.min(...running.map(({ predicted, generated, lag }) => lag + predicted - generated));
    steps += passed;
    for (const one of running) {
      one.generated += Math.max(0, passed - one.lag);
      one.lag = Math.max(0, one.lag - passed);
    }
    for (const { id } of running.filter(({ generated, predicted }) => generated === predicted)) scheduler.finished!(id);
    running = running.filter(({ generated, predicted }) => generated < predicted);
  }
  const settled = times.slice(DECISIONS / 4).sort((a, b) => a - b);
  const at = (share: number) => settled[Math.floor(share * settled.length)];
  return { ran, begun, median: at(0.5), p95: at(0.95), mean: settled.reduce((a, b) => a + b) / settled.length };
}
