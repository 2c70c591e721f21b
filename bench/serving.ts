/**
 * How many requests does the simulator serve per second, and how long does a decision take?
 *
 *   node scripts/run.mjs bench/serving.ts [TRACE] [--json FILE]
 *
 * TRACE: any format that evenkeel reads; without it 12,000 requests are made up. A line per routing policy, with prefix blocks and without where the
 * trace has them, times as medians of 5 runs beside round robin's in the same process; then BF-IO's fill of 64 workers from 256 waiting
 * requests. What was served is checked before it is timed.
 */
import { createReadStream, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { plainTable } from "../src/cli/print/plain_table.ts";
import { seeded } from "../src/common/random.ts";
import {
  generateTrace,
  type RequestView,
  readTrace,
  routing,
  simulate,
  type Trace,
  type WorkerView,
} from "../src/serving.ts";

const RUNS = 5;
const WORKERS = 8;
/** Of an 8 ms step on a GPU with a million KV tokens: what it is changes nothing in the time that a simulation takes. */
const stepTime = { base: 8e-3, perSequence: 5e-5, perKvToken: 2e-8, perPrefillToken: 2e-5, perContext: 5e-10 };
const workers = Array.from({ length: WORKERS }, () => ({ slots: 64, kvTokens: 1_000_000, stepTime }));

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: "string" } } });
const trace = positionals[0] === undefined ? madeUp() : await readTrace(createReadStream(positionals[0]));
const rows = await simulations(trace);
const fill = fillTimes();
const [first] = rows;
console.log(`${trace.requests} requests on ${WORKERS} workers; ${cpus()[0].model}, Node ${process.version}\n`);
const head = ["policy", "blocks", "requests/s", "x round robin's time"];
console.log(
  plainTable([
    head,
    ...rows.map(({ policy, blocks, ms }) => [policy, blocks ? "yes" : "no", perSecond(ms), (ms / first.ms).toFixed(2)]),
  ]),
);
console.log(
  `\nBF-IO, 64 workers, 256 waiting, 16 free slots, horizon 20: ${fill.median.toFixed(0)} us, 95 % within ${fill.p95.toFixed(0)} us`,
);
if (values.json !== undefined)
  writeFileSync(
    values.json,
    `${JSON.stringify({ requests: trace.requests, workers: WORKERS, rows, fill }, null, 1)}\n`,
  );

function perSecond(ms: number): string {
  return Math.round((trace.requests / ms) * 1e3).toString();
}

function madeUp(): Trace {
  const random = seeded(1);
  const draw = (mean: number) =>
    Int32Array.from({ length: 2000 }, () => 1 + Math.floor(-mean * Math.log(1 - random.next())));
  return generateTrace({ requests: 12_000, seed: 1, rate: 3.4, lengths: { input: draw(12_000), output: draw(340) } });
}

async function simulations(all: Trace): Promise<{ policy: string; blocks: boolean; ms: number }[]> {
  const { blocks: _, ...bare } = all;
  const found = [];
  for (const make of Object.values(routing) as (() => ReturnType<typeof routing.leastKv>)[]) {
    for (const one of all.blocks ? [bare, all] : [bare]) {
      const times: number[] = [];
      for (let run = 0; run <= RUNS; run++) {
        const start = performance.now();
        const { summary } = await simulate(one, {
          workers,
          clock: "seconds",
          routing: make(),
          prediction: "exact",
          tooLarge: "reject",
        });
        times.push(performance.now() - start);
        if (summary.completed + summary.rejected !== all.requests)
          throw new Error(`${make().name}: requests are missing`);
      }
      found.push({ policy: make().name, blocks: one === all, ms: medianOf(times.slice(1)) });
    }
  }
  return found;
}

function medianOf(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1];
}

/** A router that holds requests meets 16 free slots again and again, each time with new requests in the place of those it has sent. */
function fillTimes(): { median: number; p95: number } {
  const [count, waiting, free, fills] = [64, 256, 16, 400];
  const random = seeded(2);
  const router = routing.bfio({ horizon: 20 }).create({ workers: count, seed: 1 });
  const out = new Int32Array(2 * waiting);
  const times: number[] = [];
  let next = 0;
  const arrive = () => {
    const length = 1 + Math.floor(-400 * Math.log(1 - random.next()));
    const request: RequestView = {
      id: next++,
      arrival: 0,
      input: length,
      generated: 0,
      predicted: 1 + random.below(120),
    };
    router.arrived(request);
  };
  for (let i = 0; i < waiting; i++) arrive();
  for (let fill = 0; fill < fills; fill++) {
    const slots = new Int32Array(count);
    for (let i = 0; i < free; i++) slots[random.below(count)]++;
    const views = Array.from(slots, (freeSlots, index): WorkerView => {
      const running = Array.from({ length: 48 }, (_, i) => ({
        id: -1 - i,
        arrival: 0,
        input: 1 + random.below(800),
        generated: random.below(100),
        predicted: 100 + random.below(60),
      }));
      return { index, freeSlots, freeKv: 1e9, waiting: 0, running };
    });
    const start = performance.now();
    const sent = router.assign(views, fill, out);
    times.push((performance.now() - start) * 1e3);
    if (sent !== free) throw new Error(`a fill sent ${sent} requests to ${free} free slots`);
    for (let i = 0; i < sent; i++) arrive();
  }
  const settled = times.slice(fills / 4).sort((a, b) => a - b);
  return { median: settled[settled.length >> 1], p95: settled[Math.floor(0.95 * settled.length)] };
}
