import { Command } from "commander";
import { ArgumentError } from "../../common/errors.ts";
import { certifyCacheBound } from "../../serving/caching/bound/certify_cache_bound.ts";
import type { CacheTrace } from "../../serving/caching/cache_trace.ts";
import { prefixCacheTrace } from "../../serving/caching/trace/prefix_cache_trace.ts";
import { type AskedCapacity, type CacheCommandOptions, cacheOptions, refuseCacheConflicts } from "../cache_options.ts";
import { cachePricesFile, readCachePrices } from "../files/cache_prices_file.ts";
import { nameOf } from "../files/json_file.ts";
import { readStepTime } from "../files/read_files.ts";
import { readCacheTraceFile } from "../files/trace_file.ts";
import { requireWritable, writeParts, writeWhole } from "../files/write_file.ts";
import { interrupted } from "../interruption.ts";
import { cacheInWords, certifiedInWords } from "../print/cache_words.ts";
import { madeNow } from "../print/made.ts";
import { withProgress } from "../print/progress.ts";
import { besideBounds, cacheBounds } from "../reports/cache_bounds.ts";
import {
  type CacheFigures,
  type CacheReport,
  type CacheSetting,
  type Capacity,
  cacheFiguresOf,
  simulateCaches,
} from "../reports/cache_report.ts";

export function cacheCommand(): Command {
  const command = new Command("cache")
    .description("compare what caches keep: cost and hit ratio of a trace's requests, beside what no policy beats")
    .argument(
      "<trace>",
      "requests `time key size [cost]`, hits and misses of Caffeine's simulator, or prompts as Mooncake records them; - for standard input",
    );
  return cacheOptions(command)
    .addHelpText(
      "after",
      "\nThe cost is that of all misses: the trace's, or 1 each; of prompts tokens to prefill, or s with --step-time.\n\n" +
        "Exit code with --certify: 0 if the prices prove what the file says, 1 if they do not.",
    )
    .action(run);
}

async function run(file: string, options: CacheCommandOptions, command: Command): Promise<void> {
  refuseCacheConflicts(file, options, command);
  const { prices: to, html, json, window, policies } = options;
  if (html !== undefined) requireWritable("--html", html);
  if (to !== undefined) requireWritable("--prices", to);
  const { trace, setting } = await requestsOf(file, options.stepTime);
  if (options.certify !== undefined) return certify(options.certify, trace, setting, json);
  const figures = cacheFiguresOf(trace);
  const capacities = capacitiesOf(options.capacity, figures, trace);
  const simulated = await withProgress("simulating", (onProgress) =>
    simulateCaches(trace, figures, { capacities, policies }, onProgress, interrupted),
  );
  const report: CacheReport = { ...setting, ...figures, policies, window, capacities: simulated };
  if (options.bound) {
    const bounds = await withProgress("bounding", (onProgress) =>
      cacheBounds(trace, capacities, window, onProgress, interrupted),
    );
    report.capacities = besideBounds(simulated, bounds);
    if (to !== undefined) {
      const proofs = bounds.map(({ cost, prices }, i) => ({ capacity: capacities[i].capacity, cost, prices }));
      await writeParts("--prices", to, cachePricesFile(proofs, { ...setting, ...figures }), interrupted);
    }
  }
  if (html !== undefined) {
    const { cachePage } = await import("../print/cache_page.ts"); // with the plotting library, which takes its time to load
    writeWhole("--html", html, cachePage(report, madeNow()));
  }
  console.log(json ? JSON.stringify(report) : cacheInWords(report));
}

async function requestsOf(
  file: string,
  stepTimeFrom: string | undefined,
): Promise<{ trace: CacheTrace; setting: CacheSetting }> {
  const stepTime = stepTimeFrom === undefined ? undefined : await readStepTime(stepTimeFrom);
  const read = await readCacheTraceFile(file, interrupted);
  const source = nameOf(file);
  if ("key" in read) {
    if (stepTimeFrom === undefined) return { trace: read, setting: { source } };
    throw new ArgumentError("--step-time", "a trace of prompts, whose blocks it has a price for", source);
  }
  if (!read.blocks) throw new ArgumentError(source, "prompts with hash_ids, the blocks of a prefix cache", "none");
  const trace = prefixCacheTrace(read, { stepTime });
  if (trace.key.length === 0) throw new ArgumentError(source, "a prompt with a block at least", "none");
  const costUnit = stepTime ? "s" : "tokens";
  return {
    trace,
    setting: {
      ...{ source, prompts: read.requests, sizeUnit: "tokens", costUnit },
      ...(stepTimeFrom !== undefined && { stepTimeFrom: nameOf(stepTimeFrom) }),
    },
  };
}

/** Ascending, each once. Shares of whole sizes are whole, where that leaves anything. */
function capacitiesOf(asked: readonly AskedCapacity[], { footprint }: CacheFigures, { size }: CacheTrace): Capacity[] {
  const whole = size.every(Number.isInteger);
  const all = asked.map((one): Capacity => {
    if ("size" in one) return { capacity: one.size, share: one.size / footprint };
    const capacity = one.share * footprint;
    return { capacity: whole && capacity >= 1 ? Math.floor(capacity) : capacity, share: one.share };
  });
  const once = new Map(all.map((one) => [one.capacity, one]));
  return [...once.values()].sort((a, b) => a.capacity - b.capacity);
}

/** Computes anew what prices prove, without a search. */
async function certify(file: string, trace: CacheTrace, setting: CacheSetting, json = false): Promise<void> {
  const proofs = await readCachePrices(file, trace.key.length);
  const bounds = proofs.map(({ capacity, cost: claimed, prices }) => {
    const { cost, valid } = certifyCacheBound(trace, { capacity }, prices);
    const proven = valid ? cost : 0;
    return { capacity, claimed, proven, valid: valid && claimed <= proven };
  });
  const certificate = { valid: bounds.every(({ valid }) => valid), bounds };
  if (!certificate.valid) process.exitCode = 1;
  console.log(json ? JSON.stringify(certificate) : certifiedInWords(certificate, setting));
}
