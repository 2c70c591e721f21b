/**
 * Which policy is how far from the best on recorded traces?
 *
 *   node scripts/run.mjs bench/caching_traces.ts FOLDER [--shares 0.001,0.01,0.05] [--json FILE]
 *
 * FOLDER has the recorded traces: cache/adaptsize_request_trace.txt.gz, cache/gcc_penalties_trace.txt.gz, cache/webcachesim_test.tr and
 * requests/mooncake_fast25_conversation.jsonl.gz, whose prefix blocks of 512 tokens are kept. At each share of the footprint: hit ratios, and the cost
 * of all misses over the bound, which is the optimum where it says so. Every bound is checked by its prices. Then the order of
 * hit ratios beside what is known of it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { plainTable } from "../src/cli/print/plain_table.ts";
import { cachePolicyNames, cachePolicyOf } from "../src/cli/reports/cache_policies.ts";
import { cacheFiguresOf } from "../src/cli/reports/cache_report.ts";
import {
  type CacheTrace,
  cacheBound,
  certifyCacheBound,
  prefixCacheTrace,
  readCacheTrace,
  readTrace,
  simulateCache,
} from "../src/serving.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { shares: { type: "string", default: "0.001,0.01,0.05" }, json: { type: "string" } },
});
const [folder] = positionals;
const files = {
  adaptsize: "cache/adaptsize_request_trace.txt.gz",
  gcc: "cache/gcc_penalties_trace.txt.gz",
  webcachesim: "cache/webcachesim_test.tr",
  "mooncake conversation": "requests/mooncake_fast25_conversation.jsonl.gz",
};

/** Yang et al., SOSP 2023: S3-FIFO misses less than LRU, LRU less than FIFO, on most of 6,594 traces. Cherkasova, 1998: GDSF finds the most on web traces. */
const REPORTED = "fifo < lru < s3fifo (Yang et al. 2023), lru < gdsf (Cherkasova 1998)";
const ORDERED = ["fifo", "lru", "s3fifo", "gdsf"];

const rows: Record<string, unknown>[] = [];
for (const [name, file] of Object.entries(files)) {
  const trace = await traceOf(join(folder, file));
  for (const share of values.shares.split(",").map(Number)) compare(name, trace, share);
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ rows }, null, 1)}\n`);

async function traceOf(path: string): Promise<CacheTrace> {
  const bytes = readFileSync(path);
  return path.includes("mooncake") ? prefixCacheTrace(await readTrace(bytes)) : readCacheTrace(bytes);
}

function compare(name: string, trace: CacheTrace, share: number): void {
  const figures = cacheFiguresOf(trace);
  const capacity = Math.floor(share * figures.footprint);
  const begun = performance.now();
  const bound = cacheBound(trace, { capacity });
  const seconds = (performance.now() - begun) / 1e3;
  const certified = certifyCacheBound(trace, { capacity }, bound.prices);
  if (!certified.valid || certified.cost !== bound.cost) throw new Error(`${name}: the prices prove ${certified.cost}`);
  const all = cachePolicyNames.map((name) => {
    const policy = cachePolicyOf(name, figures);
    return { policy, ...simulateCache(trace, { capacity, policy }) };
  });
  for (const { policy, cost } of all) if (cost < bound.cost) throw new Error(`${policy.name} is below the bound`);
  console.log(
    `\n${name}: ${figures.requests} requests, ${figures.objects} keys; capacity ${capacity}, ${100 * share} % of all; ` +
      `${bound.exact ? "optimum" : "bound"} ${bound.cost} in ${seconds.toFixed(1)} s\n`,
  );
  console.log(
    plainTable([
      ["policy", "hit ratio", "byte hit ratio", "cost", `cost / ${bound.exact ? "optimum" : "bound"}`],
      ...all.map((one) => [
        one.policy.name,
        `${(100 * one.hitRatio).toFixed(2)} %`,
        `${(100 * one.byteHitRatio).toFixed(2)} %`,
        one.cost.toPrecision(6),
        (one.cost / bound.cost).toFixed(3),
      ]),
    ]),
  );
  const ratio = new Map(all.map((one) => [one.policy.name, one.hitRatio]));
  const order = [...ORDERED].sort((a, b) => ratio.get(a)! - ratio.get(b)!);
  console.log(`\nhit ratio: ${order.join(" < ")}; reported: ${REPORTED}`);
  const { prices: _, ...proven } = bound;
  const policies = all.map(({ policy, latency: __, ...one }) => ({ policy: policy.name, ...one }));
  rows.push({ trace: name, capacity, share, ...proven, seconds, policies });
}
