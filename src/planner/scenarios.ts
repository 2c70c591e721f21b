import type { Random } from "../common/random.ts";
import { type LayerHistory, meanShare } from "./history.ts";

/**
 * Batches as they may come, drawn from those that came: n rows of expert shares to choose a placement by.
 *
 * Fitted to the recorded batches alone, a search finds the placement that happens to suit them. What comes later differs in two ways, and both
 * are seen in the record: batches scatter around the popularity of the time, and the popularity drifts. So a part of the rows are batches as
 * they were recorded, evenly over the whole time, and the others look ahead:
 *
 *   share_e = recent_e (q4_e / q3_e)^k exp(s z_e),   k ~ U(0, 1),  z_e ~ N(0, 1)
 *
 * recent is a recorded batch of the last quarter, q3 and q4 the mean shares of the last two quarters: the popularity goes on as it went
 * by half on average (a damped trend; E. S. Gardner, E. McKenzie, Management Science 31(10), 1985), and each expert strays besides
 * by SPREAD times what it changed from one quarter to the next. As far as that change is no more than the batches' scatter would
 * make it, there is no drift: the share of change that scatter does not explain shrinks trend and straying alike (to LEAST_STRAYING),
 * and as many rows come from the whole time instead of its last quarter.
 *
 * Of a short record, the scatter of a few batches would be learnt by heart: in FEW / steps of these rows each expert's share comes from a
 * batch of its own, so that every expert scatters as it does, but no two together as they happened to.
 *
 * @returns [n, E], each row adding up to 1.
 */
export function drawScenarios(history: LayerHistory, n: number, random: Random): Float64Array {
  const { steps, experts, share } = history;
  const { ratio, drift, straying } = estimateDrift(history);
  const rows = new Float64Array(n * experts);
  const recorded = Math.ceil(n / RECORDED_EVERY);
  const order = random.shuffle(Array.from({ length: recorded }, (_, i) => Math.floor(((i + 0.5) * steps) / recorded)));
  for (let i = 0; i < n; i++) {
    const row = rows.subarray(i * experts, (i + 1) * experts);
    if (i % RECORDED_EVERY === 0) {
      // Evenly over the time, but in no order: any part of the rows should stand for all.
      const step = order[Math.floor((i * order.length) / n)];
      row.set(share.subarray(step * experts, (step + 1) * experts));
      continue;
    }
    const first = random.next() < drift ? Math.floor(steps * (1 - 1 / QUARTERS)) : 0;
    const step = first + random.below(steps - first);
    const apart = random.next() * steps < FEW;
    const k = random.next() * drift;
    let total = 0;
    for (let e = 0; e < experts; e++) {
      const from = apart ? first + random.below(steps - first) : step;
      row[e] = share[from * experts + e] * ratio[e] ** k * Math.exp(straying * random.normal());
      total += row[e];
    }
    if (total === 0) {
      i--; // none of the batches drawn had any of its expert's tokens
      continue;
    }
    for (let e = 0; e < experts; e++) row[e] /= total;
  }
  return rows;
}

/** One row in so many is as recorded: enough that the record itself is served well, few enough that it is not learnt by heart. */
const RECORDED_EVERY = 4;
const QUARTERS = 4;
/** Twice the last change: the time ahead is longer than a quarter of the record. Measured on gpt-oss: 1 overfits, 2 and 3 are alike. */
const SPREAD = 2;
/** With so few batches recorded, or fewer, what some experts do at once is as likely chance. */
const FEW = 32;
/** Standard deviation of log share: loads that agree by chance, as in a record of one batch, should not decide. */
const LEAST_STRAYING = 0.02;
/** Of the mean share: what is added so that an expert without tokens has a ratio. */
const FLOOR = 0.01;

/** Change of the shares from the third quarter to the last: per expert, as the share that is drift, and how far experts strayed. */
function estimateDrift({ steps, experts, share }: LayerHistory) {
  const ratio = new Float64Array(experts).fill(1);
  const quarter = Math.floor(steps / QUARTERS);
  if (quarter < 2) return { ratio, drift: 0, straying: LEAST_STRAYING };
  const last = share.subarray((steps - quarter) * experts);
  const before = share.subarray((steps - 2 * quarter) * experts, (steps - quarter) * experts);
  const q3 = meanShare(before, experts);
  const q4 = meanShare(last, experts);
  let change = 0;
  let scatter = 0;
  for (let e = 0; e < experts; e++) {
    const floor = FLOOR / experts;
    ratio[e] = (q4[e] + floor) / (q3[e] + floor);
    change += (q4[e] + floor) * Math.log(ratio[e]) ** 2;
    scatter += (variance(before, q3, e, experts) + variance(last, q4, e, experts)) / quarter / (q4[e] + floor);
  }
  const drift = change > 0 ? Math.max(0, 1 - scatter / change) : 0;
  return { ratio, drift, straying: Math.max(LEAST_STRAYING, SPREAD * Math.sqrt(drift * change)) };
}

function variance(rows: Float64Array, mean: Float64Array, e: number, experts: number): number {
  let sum = 0;
  for (let i = e; i < rows.length; i += experts) sum += (rows[i] - mean[e]) ** 2;
  return sum / (rows.length / experts - 1);
}
