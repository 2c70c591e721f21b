/**
 * How many requests a second does a policy decide?
 *
 *   node scripts/run.mjs bench/caching_speed.ts [--requests 5000000] [--keys 1000000] [--json FILE]
 *
 * Requests by a power law over the keys, of one size, each key with a cost of its own: `simulateCache` with a tenth of the keys' room,
 * checks and figures included; and a live cache, `get` and where that finds nothing `set`, whose size is looked at after every operation.
 * Medians of three.
 */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { plainTable } from "../src/cli/print/plain_table.ts";
import { seeded } from "../src/common/random.ts";
import { type CachePolicy, type CacheTrace, caching, createCache, simulateCache } from "../src/serving.ts";

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "5000000" },
    keys: { type: "string", default: "1000000" },
    json: { type: "string" },
  },
});
const [requests, keys] = [Number(values.requests), Number(values.keys)];
const capacity = Math.max(1, Math.floor(keys / 10));
const trace = zipf();
const policies = Object.values(caching).map((make) => (make as () => CachePolicy)());
const rows = policies.map((policy) => ({
  policy: policy.name,
  simulated: median(() => simulated(policy)),
  live: median(() => live(policy)),
  hitRatio: simulateCache(trace, { capacity, policy }).hitRatio,
}));
console.log(
  `${requests} requests for ${keys} keys, room for ${capacity}; ${cpus()[0].model}, Node ${process.version}\n`,
);
console.log(
  plainTable([
    ["policy", "simulated, M/s", "live, M/s", "hit ratio"],
    ...rows.map((row) => [
      row.policy,
      (row.simulated / 1e6).toFixed(2),
      (row.live / 1e6).toFixed(2),
      row.hitRatio.toFixed(3),
    ]),
  ]),
);
console.log(`\n${(process.memoryUsage().rss / 1e6).toFixed(0)} MB`);
if (values.json !== undefined)
  writeFileSync(values.json, `${JSON.stringify({ requests, keys, capacity, rows }, null, 1)}\n`);

/** Ranks by a power law of exponent 0.9, drawn by inverting its integral; keys in no order. */
function zipf(): CacheTrace {
  const random = seeded(1);
  const costs = Float64Array.from({ length: keys }, () => 1 + 99 * random.next());
  const key = new Int32Array(requests);
  for (let i = 0; i < requests; i++) {
    const rank = Math.floor((1 + random.next() * ((keys + 1) ** 0.1 - 1)) ** 10) - 1;
    key[i] = (rank * 7_654_321) % keys;
  }
  return { key, size: new Float64Array(requests).fill(1), cost: Float64Array.from(key, (q) => costs[q]) };
}

function simulated(policy: CachePolicy): number {
  const begun = performance.now();
  simulateCache(trace, { capacity, policy });
  return (1e3 * requests) / (performance.now() - begun);
}

/** Operations a second. */
function live(policy: CachePolicy): number {
  const cache = createCache<number>({ capacity, policy });
  const { key, cost } = trace;
  let operations = 0;
  const begun = performance.now();
  for (let i = 0; i < requests; i++) {
    operations++;
    if (cache.get(key[i]) !== undefined) continue;
    operations++;
    cache.set(key[i], i, { cost: cost[i] });
    if (cache.size > capacity) throw new Error(`${policy.name} holds ${cache.size} of ${capacity}`);
  }
  return (1e3 * operations) / (performance.now() - begun);
}

function median(run: () => number): number {
  return [run(), run(), run()].sort((a, b) => a - b)[1];
}
