import type { Random } from "../common/random.ts";
import { type LayerHistory, meanShare } from "./history.ts";

/** Variance of the straying that even a record without drift gets: loads that agree by chance should not decide. */
const LEAST_VARIANCE = 4e-4;
/** Of an even share: what is added to means so that an expert without tokens has a ratio. */
const FLOOR = 0.05;
/** With so few batches recorded, or fewer, what some experts do at once is as likely chance. */
const FEW = 16;
/** Beyond this standard deviation of log load a placement that fears it gains nothing. */
const MOST_FEARED = 0.6;

/**
 * What may come after a record: batches as they were, from any time of it, each expert gone astray by as much as popularities went, or could have seemed
 * to go, from the first half of the record to the second.
 *
 *   load_e = recorded_e exp(s z_e), rescaled     z_e ~ N(0, 1)     s^2 = LEAST_VARIANCE + max(D, N)
 *   D = mean of (ln first_e - ln second_e)^2     N = mean of q_e (1/n_1 + 1/n_2)     weighted by the mean loads
 *
 * first and second are the mean shares of the halves of n_1 and n_2 batches; q_e, half the mean squared difference of successive shares
 * over the squared mean, is the batches' own scatter, and N what it alone makes of D: so uncertain the popularities are at least.
 *
 * Of a short record, the scatter of a few batches would be learnt by heart: in FEW / steps of the rows each expert's share comes from a batch of its own.
 */
export class Outlook {
  /** s */
  readonly straying: number;
  /** Variance of a load in units of its squared mean, as far as a placement should fear it: the record's and the straying together. */
  readonly variance: number;

  constructor(private readonly history: LayerHistory) {
    this.straying = strayingOf(history);
    const deviation = Math.min(MOST_FEARED, Math.hypot(relativeDeviation(history), this.straying));
    this.variance = Math.expm1(deviation ** 2);
  }

  /** [n, E] batches to come, each adding up to 1.  @param width  Multiplies s. */
  draw(n: number, random: Random, width = 1): Float64Array {
    const { steps, experts, share } = this.history;
    const rows = new Float64Array(n * experts);
    for (let i = 0; i < n; i++) {
      const step = random.below(steps);
      const apart = random.next() * steps < FEW;
      const at = i * experts;
      let total = 0;
      for (let e = 0; e < experts; e++) {
        const from = (apart ? random.below(steps) : step) * experts;
        const load = share[from + e] * Math.exp(width * this.straying * random.normal());
        rows[at + e] = load;
        total += load;
      }
      for (let e = 0; e < experts; e++) rows[at + e] /= total;
    }
    return rows;
  }
}

function strayingOf({ steps, experts, share }: LayerHistory): number {
  const half = Math.floor(steps / 2);
  if (half < 1) return Math.sqrt(LEAST_VARIANCE);
  const first = meanShare(share.subarray(0, half * experts), experts);
  const second = meanShare(share.subarray(half * experts), experts);
  const all = meanShare(share, experts);
  const floor = FLOOR / experts;
  let change = 0;
  let noise = 0;
  for (let e = 0; e < experts; e++) {
    change += all[e] * Math.log((first[e] + floor) / (second[e] + floor)) ** 2;
    let scatter = 0;
    for (let i = e + experts; i < share.length; i += experts) scatter += (share[i] - share[i - experts]) ** 2;
    scatter /= 2 * (steps - 1) * (all[e] + floor) ** 2;
    noise += all[e] * scatter * (1 / half + 1 / (steps - half));
  }
  return Math.sqrt(LEAST_VARIANCE + Math.max(change, noise));
}

/** Root mean square of a share about its mean, over the means'. */
function relativeDeviation({ experts, share }: LayerHistory): number {
  const mean = meanShare(share, experts);
  let about = 0;
  let of = 0;
  for (let i = 0; i < share.length; i++) {
    about += (share[i] - mean[i % experts]) ** 2;
    of += mean[i % experts] ** 2;
  }
  return Math.sqrt(about / of);
}
