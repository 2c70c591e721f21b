/**
 * Are the fleets that `capacity` recommends large enough, and no larger?
 *
 *   node scripts/run.mjs bench/capacity.ts [--draws N] [--first N] [--requests N] [--json FILE]
 *
 * Random workloads: lengths exponential, uniform or lognormal of random means, a random worker and step time, limits of TTFT, of TPOT or of both, above what a request
 * alone takes by a random factor, and a rate for 2 to 48 workers. Each recommendation is held against simulations of other draws of the same workload: of so many
 * workers, one fewer, and where that one meets the SLO two fewer; a fleet below the rate / mu that no policy survives counts as missing it. Least KV, first come first
 * served by the future check; the first quarter of the requests does not count.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { plainTable } from "../src/cli/print/plain_table.ts";
import { seeded } from "../src/common/random.ts";
import { type Capacity, type CapacityOptions, capacity, type Workload } from "../src/serving/capacity/capacity.ts";
import { lonePrefill, loneTokenTime } from "../src/serving/capacity/lone_request.ts";
import { quantile } from "../src/serving/capacity/quantile.ts";
import { generateTrace, routing, type Slo, scheduling, simulate } from "../src/serving.ts";

const LENGTHS = 4000;
const MOST_TOKENS = 16_000;
const MOST_WORKERS = 48;

type Question = { workload: Workload & { lengths: Lengths }; options: CapacityOptions & { slo: Slo } };
type Lengths = { input: Int32Array; output: Int32Array };

const { values } = parseArgs({
  options: {
    draws: { type: "string", default: "20" },
    first: { type: "string", default: "0" },
    requests: { type: "string", default: "30000" },
    json: { type: "string" },
  },
});
const requests = Number(values.requests);

const rows: (Capacity & { seed: number; ms: number; enough: number; oneFewer: number; twoFewer: number })[] = [];
for (let seed = Number(values.first); rows.length < Number(values.draws); seed++) {
  const { workload, options } = drawn(seed);
  const start = performance.now();
  const found = capacity(workload, options);
  const ms = performance.now() - start;
  if (found.workers < 2 || found.workers > MOST_WORKERS) continue;
  const enough = await worst(workload, options, found.workers, found.mu, seed);
  const oneFewer = await worst(workload, options, found.workers - 1, found.mu, seed);
  const twoFewer = oneFewer > 1 ? oneFewer : await worst(workload, options, found.workers - 2, found.mu, seed);
  rows.push({ seed, ms, enough, oneFewer, twoFewer, ...found });
}
const shown = (value: number) => (value === Number.POSITIVE_INFINITY ? "-" : value.toFixed(3));
console.log(
  plainTable([
    ["draw", "stability", "memory", "slo", "binds", "workers", "latency / SLO", "one fewer", "two fewer", "ms"],
    ...rows.map(({ seed, needs, binding, workers, enough, oneFewer, twoFewer, ms }) => [
      ...[`${seed}`, `${needs.stability}`, `${needs.memory}`, `${needs.slo}`, binding, `${workers}`],
      ...[shown(enough), shown(oneFewer), oneFewer > 1 ? "" : shown(twoFewer), ms.toFixed(0)],
    ]),
  ]),
);
const share = (good: (row: (typeof rows)[number]) => boolean) => `${rows.filter(good).length} of ${rows.length}`;
console.log(
  `\nSLO met: ${share(({ enough }) => enough <= 1)}; by one fewer missed: ${share(({ oneFewer }) => oneFewer > 1)}; by two fewer: ${share(({ twoFewer }) => twoFewer > 1)}.`,
);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ requests, rows }, null, 1)}\n`);

function drawn(seed: number): Question {
  const random = seeded(seed * 7919 + 13);
  const between = (a: number, b: number) => a * (b / a) ** random.next();
  const kind = random.below(3);
  const length = (mean: number) => {
    const value =
      kind === 0
        ? -mean * Math.log(1 - random.next())
        : kind === 1
          ? mean * (0.02 + 1.98 * random.next())
          : mean * Math.exp(0.9 * random.normal() - 0.405);
    return Math.max(1, Math.min(MOST_TOKENS, Math.round(value)));
  };
  const means = [between(150, 3000), between(40, 600)];
  const [input, output] = means.map((mean) => Int32Array.from({ length: LENGTHS }, () => length(mean)));
  const stepTime = {
    ...{ base: between(0.005, 0.04), perSequence: between(1e-5, 2e-4), perKvToken: between(5e-8, 5e-7) },
    ...{ perPrefillToken: between(8e-6, 4e-5), perContext: between(1e-10, 4e-9) },
  };
  const kvTokens = Math.round(between(40_000, 500_000));
  const slots = random.below(2) ? 2 ** (5 + random.below(5)) : undefined;
  const ttft = quantile(
    Array.from(input, (s) => lonePrefill(stepTime, s, Number.POSITIVE_INFINITY)),
    95,
  );
  const tpot = quantile(
    Array.from(input, (s, i) => loneTokenTime(stepTime, s, output[i])),
    95,
  );
  const which = random.below(3);
  const slo = {
    ...(which !== 1 && { ttft: ttft * between(1.5, 8) }),
    ...(which !== 0 && { tpot: tpot * between(1.15, 3) }),
  };
  const lengths = { input, output };
  const { mu } = capacity({ lengths, rate: 10 }, { kvTokens, slots, stepTime });
  return { workload: { lengths, rate: mu * between(1, 30) }, options: { kvTokens, slots, stepTime, slo } };
}

/** The larger of TTFT / limit and TPOT / limit, at the 95th percentile. */
async function worst(
  { lengths, rate }: Question["workload"],
  { kvTokens, slots = 1e6, stepTime, slo }: Question["options"],
  workers: number,
  mu: number,
  seed: number,
): Promise<number> {
  if (workers * mu < rate) return Number.POSITIVE_INFINITY;
  const trace = generateTrace({ requests, seed: 1000 + seed, rate, lengths });
  const { summary } = await simulate(trace, {
    workers: new Array(workers).fill({ kvTokens, slots, stepTime }),
    ...{ clock: "seconds", routing: routing.leastKv(), scheduling: scheduling.fcfs({ admission: "future" }) },
    ...{ prediction: "exact", warmUp: trace.arrival[Math.floor(requests / 4)] },
  });
  const { ttft = Number.POSITIVE_INFINITY, tpot = Number.POSITIVE_INFINITY } = slo;
  return Math.max(summary.ttft.p95 / ttft, summary.tpot.p95 / tpot);
}
