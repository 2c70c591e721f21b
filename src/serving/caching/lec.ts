import { ArgumentError } from "../../common/errors.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";
import { requireRange } from "../policy_options.ts";
import type { CachePolicy } from "./cache_policy.ts";
import { Lec, SelectingLec } from "./lec_decisions.ts";
import { Worth } from "./lec_worth.ts";

export interface Confidence {
  /** T: requests for which the bounds are to hold; an integer >= 1. */
  requests: number;
  /** |Q|: keys for which they are; an integer >= 1. */
  keys: number;
  /** The probability that one of them does not, above 0 and below 1; 0.01 by default. */
  delta?: number;
}

export interface LecOptions {
  /** What a miss costs at the least (B1, 0 by default) and at the most (B2, with `confidence` alone). */
  costs?: readonly [least: number, most?: number];
  /** Costs by their lower confidence bounds instead of their means, for misses of a key that cost now more, now less. */
  confidence?: Confidence;
  /** Sends each miss to the model that is expected to cost less, of equals to the small one. False by default. */
  selection?: boolean;
}

const fields = { costs: true, confidence: true, selection: true } satisfies FieldsOf<LecOptions>;
const confidenceFields = { requests: true, keys: true, delta: true } satisfies FieldsOf<Confidence>;

/**
 * Least Expected Cost: what is expected to save the most per size is kept. A key q counts
 *
 *   P(q) c(q) / size,   c = max(B1, mean of n observed costs - (B2 - B1) sqrt(log(6 T |Q| / delta) / (2 n)))
 *
 * or, without `confidence`, c = the mean; B1 where nothing has been observed, as it is by misses alone. A newcomer is admitted if there is
 * room, or room can be made by letting go keys that each count less. With `selection` c is the least over the small and the large model,
 * each with its own observations, and misses go where it is.
 *
 * P(q) is the share of all requests, cached or not, that were for q. That is the authors', whose requests are drawn again and again from the same
 * probabilities. Where others are asked for as time goes on it is not the same keys that are popular, and requests long past count less: by
 * half after 20 or 2 for each cached key, if one of these estimates has clearly foretold the requests better (by 10 nats; evenkeel's own).
 *
 * Means alone suffice where a key's cost is always the same. Where it varies they may keep a key for good that was dear by chance,
 * while with `confidence` the regret grows like sqrt(T), the best possible rate. O(log n), amortised. It remembers the keys that it has seen, cached or
 * not: 2^23 of them, then those that have not been asked for in a while are forgotten.
 *
 * @throws {ArgumentError} An option is unknown or out of its range.
 * @see B. Zhu et al., On Optimal Caching and Model Multiplexing for Large Model Inference, arXiv 2306.02003.
 */
export function lec(options: LecOptions = {}): CachePolicy {
  requireObject("options", options, fields);
  const { costs = [0], confidence, selection = false } = options;
  if (!Array.isArray(costs) || ![1, 2].includes(costs.length))
    throw new ArgumentError("options.costs", "[least, most]", costs);
  const [least, most] = costs as [number, number?];
  requireRange("options.costs[0]", least, "finite and >= 0", (x) => Number.isFinite(x) && x >= 0);
  if (most !== undefined || confidence !== undefined)
    requireRange("options.costs[1]", most!, "finite and >= costs[0]", (x) => Number.isFinite(x) && x >= least);
  if (typeof selection !== "boolean") throw new ArgumentError("options.selection", "true or false", selection);
  const width = confidence === undefined ? 0 : (most! - least) * boundWidth(confidence);
  const name = `lec${confidence ? "-confidence" : ""}${selection ? "-selection" : ""}`;
  return {
    name,
    create({ capacity }) {
      const worth = new Worth(least, width, selection);
      return selection ? new SelectingLec(worth, capacity) : new Lec(worth, capacity);
    },
  };
}

/** sqrt(log(6 T |Q| / delta) / 2). */
function boundWidth(confidence: Confidence): number {
  requireObject("options.confidence", confidence, confidenceFields);
  const { requests, keys, delta = 0.01 } = confidence;
  const isCount = (x: number) => Number.isSafeInteger(x) && x >= 1;
  requireRange("options.confidence.requests", requests, "an integer from 1 to 2^53 - 1", isCount);
  requireRange("options.confidence.keys", keys, "an integer from 1 to 2^53 - 1", isCount);
  requireRange("options.confidence.delta", delta, "a number above 0 and below 1", (x) => x > 0 && x < 1);
  return Math.sqrt(Math.log((6 * requests * keys) / delta) / 2);
}
