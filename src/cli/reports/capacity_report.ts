import { type Capacity, type CapacityOptions, capacity } from "../../serving/capacity/capacity.ts";
import { latenciesFrom } from "../../serving/capacity/latencies.ts";
import { prefillDecodeSplit, type Split } from "../../serving/capacity/prefill_decode_split.ts";
import { quantile } from "../../serving/capacity/quantile.ts";
import { leastKv } from "../../serving/routing/least_kv.ts";
import { fcfs } from "../../serving/scheduling/fcfs.ts";
import type { WorkerSpec } from "../../serving/simulator/options.ts";
import { simulate } from "../../serving/simulator/simulate.ts";
import { generateTrace } from "../../serving/trace/generate_trace.ts";
import type { Trace } from "../../serving/trace/trace.ts";

/** What is asked. Times are in s. */
export interface CapacityQuestion {
  source: string;
  /** Of the trace. */
  requests: number;
  /** Requests per s. */
  rate: number;
  /** The trace's own, whose mean the rate is, or Poisson at a rate that was asked for. */
  arrivals: "recorded" | "poisson";
  meanInput: number;
  meanOutput: number;
  options: CapacityOptions;
  stepTimeFrom: string;
  percentile: number;
  /** KV tokens per s from prefill to decode; undefined: prefill apart is not asked for. */
  bandwidth?: number;
}

/** A fleet, simulated. */
export interface ConfirmedFleet {
  /** That do both, or that decode. */
  workers: number;
  /** That prefill, where that is apart. */
  prefill?: number;
  /** s, the percentile of the question. */
  ttft: number;
  tpot: number;
  /** Requests that wait, on average. */
  queue: number;
  /** Undefined without an SLO. */
  meets?: boolean;
}

export interface CapacityReport extends CapacityQuestion {
  capacity: Capacity;
  split?: Split;
  confirmed?: ConfirmedFleet[];
}

/** Requests that are drawn to confirm, and the share of them, or of the trace, that comes before any counts. */
const DRAWN = 20_000;
const WARM = 0.25;
/** Times that a worker is added to prefill, to decode or to both. */
const MOST_ADDED = 12;
/** Another draw than that of `capacity`. */
const SEED = 1;

/** @param confirm  simulates the fleet, with a worker more and fewer, and with prefill apart, to whose pools workers are added until the SLO is met. */
export async function capacityReport(
  trace: Trace,
  question: CapacityQuestion,
  confirm: boolean,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<CapacityReport> {
  const { rate, options, percentile, bandwidth } = question;
  const lengths = { input: trace.input, output: trace.output };
  const found = capacity({ lengths, rate }, { ...options, percentile });
  const { kvTokens, slots, stepTime, slo } = options;
  const split =
    bandwidth === undefined
      ? undefined
      : prefillDecodeSplit(lengths, { rate, kvTokens, slots, stepTime, bandwidth, slo, percentile });
  const report: CapacityReport = { ...question, capacity: found, ...(split && { split }) };
  if (!confirm) return report;
  const requests =
    question.arrivals === "recorded"
      ? { requests: trace.requests, arrival: trace.arrival, ...lengths }
      : generateTrace({ requests: DRAWN, seed: SEED, rate, lengths });
  const around = [found.workers - 1, found.workers, found.workers + 1].filter((workers) => workers > 0);
  const confirmed: ConfirmedFleet[] = [];
  const confirmOne = async (fleet: Fleet) => {
    const progress = (share: number) => onProgress((confirmed.length + share) / (confirmed.length + 2));
    confirmed.push(await confirmedFleet(requests, fleet, question, progress, signal));
    return confirmed[confirmed.length - 1];
  };
  for (const workers of around) await confirmOne({ workers });
  if (split) {
    // The fluid knows means alone: what it leaves out is made up for by a worker more where the SLO is missed.
    let { prefill, decode } = split;
    for (let k = 0; k < MOST_ADDED; k++) {
      const { ttft, tpot, meets = true } = await confirmOne({ workers: decode, prefill });
      if (meets) break;
      if (ttft > (slo?.ttft ?? Number.POSITIVE_INFINITY)) prefill++;
      if (tpot > (slo?.tpot ?? Number.POSITIVE_INFINITY)) decode++;
    }
  }
  return { ...report, confirmed };
}

type Fleet = Pick<ConfirmedFleet, "workers" | "prefill">;

async function confirmedFleet(
  trace: Trace,
  fleet: Fleet,
  { options, percentile, bandwidth }: CapacityQuestion,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<ConfirmedFleet> {
  const { kvTokens, slots = Number.MAX_SAFE_INTEGER, chunk, stepTime, slo } = options;
  const worker = { kvTokens, slots, stepTime };
  const many = (spec: WorkerSpec, count: number) => new Array<WorkerSpec>(count).fill(spec);
  const first = Math.floor(WARM * trace.requests);
  const simulated = await simulate(trace, {
    workers: many(worker, fleet.workers),
    ...{ clock: "seconds", routing: leastKv(), scheduling: fcfs({ admission: "future" }), prediction: "exact" },
    ...(fleet.prefill === undefined
      ? chunk !== undefined && { prefill: { chunk } }
      : { prefill: { pool: many({ ...worker, slots: 1 }, fleet.prefill), bandwidth: bandwidth! } }),
    warmUp: trace.arrival[first],
    ...{ signal, onProgress },
  });
  const counted = latenciesFrom(simulated, trace.output, first);
  const at = (values: number[]) => (values.length === 0 ? 0 : quantile(values, percentile));
  const [ttft, tpot] = [at(counted.ttft), at(counted.tpot)];
  const { ttft: mostTtft = Number.POSITIVE_INFINITY, tpot: mostTpot = Number.POSITIVE_INFINITY } = slo ?? {};
  const meets = slo && { meets: ttft <= mostTtft && tpot <= mostTpot };
  return { ...fleet, ttft, tpot, queue: simulated.summary.queue, ...meets };
}
