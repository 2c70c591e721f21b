/** How does the time per LP grow with the number of GPUs? Placed by EPLB: a redundant expert per GPU, and DeepSeek's wide deployments. */
import { tooWideForLane } from "../src/lp/kernels/lane.ts";
import { affineLane } from "./baselines/affine_kernels.ts";
import type { Bench } from "./harness.ts";
import { evenkeel, evenkeelSolve } from "./ours.ts";
import { factor, type Row } from "./row.ts";
import { modelWorkload } from "./workloads.ts";

const BATCH = 64;
const SHAPES = [8, 16, 32, 64]
  .map((gpus) => ({ gpus, experts: 4 * gpus, redundant: gpus }))
  .concat({ gpus: 144, experts: 256, redundant: 32 }, { gpus: 320, experts: 256, redundant: 64 });
/** Largest G for each: affine scaling's dense matrix takes seconds a batch beyond, and so does compiling in a quick run. On a GPU the matrix has no room. */
const MOST = {
  quick: { affine: 16, specialised: 16 },
  full: { affine: 32, specialised: 144 },
};
const MOST_LANE = 64;

export async function scalingGpus(bench: Bench): Promise<void> {
  const { device } = bench;
  const most = MOST[bench.quick ? "quick" : "full"];
  const rows: Row[] = [];
  for (const shape of SHAPES) {
    const { gpus, redundant } = shape;
    const work = modelWorkload(`EP${gpus} R${redundant}`, { ...shape, layers: 1 }, BATCH);
    const methods = [evenkeel(device, "group"), evenkeelSolve("cpu", {})];
    if (gpus <= MOST_LANE && (bench.software || !tooWideForLane([work.layers[0].topology])))
      methods.push(evenkeel(device, "lane"));
    if (gpus <= most.specialised) methods.push(evenkeel(device, "specialised"));
    if (gpus <= (bench.software ? most.affine : MOST.quick.affine)) methods.push(affineLane(device, "replica"));
    const own = await bench.compare("scaling-gpus", work, methods);
    rows.push(...own);
    const lane = own.find(({ solver }) => solver === "evenkeel lane");
    for (const row of own) {
      if (!lane || row === lane || !row.solver.startsWith("evenkeel")) continue;
      bench.note(`${work.name}, batch ${BATCH}: lane takes ${factor(lane, row)} the time of ${row.solver}`);
    }
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
