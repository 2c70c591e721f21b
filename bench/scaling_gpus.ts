/** How does the time per LP grow with the number of GPUs? Four experts and one redundant slot per GPU, placed by EPLB. */
import { affineLane } from "./baselines/affine_kernels.ts";
import type { Bench, Row } from "./harness.ts";
import { evenkeel, evenkeelSolve } from "./ours.ts";
import { modelWorkload } from "./workloads.ts";

const GPUS = [8, 16, 32, 64];
/** Largest G that affine scaling is given: its dense matrix takes seconds a batch beyond. */
const MOST_DENSE = 32;
/** Largest G that is compiled: see MAX_STATEMENTS in src/specialised/plan.ts. */
const MOST_SPECIALISED = 32;

export async function scalingGpus(bench: Bench): Promise<void> {
  const { device } = bench;
  const rows: Row[] = [];
  for (const gpus of GPUS) {
    if (bench.quick && gpus === 64) break;
    const shape = { gpus, experts: 4 * gpus, redundant: gpus, layers: 1 };
    const work = modelWorkload(`EP${gpus} R${gpus}`, shape, 64);
    const methods = [evenkeel(device, "lane"), evenkeelSolve("cpu", {})];
    if (gpus <= (bench.quick ? 16 : MOST_SPECIALISED)) methods.unshift(evenkeel(device, "specialised"));
    if (gpus <= MOST_DENSE) methods.push(affineLane(device, "replica"));
    rows.push(...(await bench.compare("scaling-gpus", work, methods)));
  }
  for (const solver of new Set(rows.map((row) => row.solver))) {
    const own = rows.filter((row) => row.solver === solver);
    if (own.length > 1) bench.note(`${solver}: time per LP grows as G^${exponent(own).toFixed(2)}`);
  }
}

/** Slope of log time over log G, least squares. */
export function exponent(rows: readonly Pick<Row, "gpus" | "usPerLp">[]): number {
  const x = rows.map(({ gpus }) => Math.log(gpus));
  const y = rows.map(({ usPerLp }) => Math.log(usPerLp));
  const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;
  const [xMean, yMean] = [mean(x), mean(y)];
  const covariance = mean(x.map((value, i) => (value - xMean) * (y[i] - yMean)));
  return covariance / mean(x.map((value) => (value - xMean) ** 2));
}
