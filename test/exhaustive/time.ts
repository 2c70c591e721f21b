import { seeded } from "../../src/common/random.ts";
import { certify, solveLoadBalanceLP } from "../../src/index.ts";
import { costKinds, inUnits, leastTime, proves, smallTimed } from "../helpers/timed.ts";

const ROUNDING = 1e-9;

/** Small problems of every kind of cost against brute force over all splits, on both backends. */
export async function timed(instances: number, onProgress: (done: number, total: number) => void): Promise<boolean> {
  const kinds = Object.keys(costKinds);
  const each = Math.ceil(instances / kinds.length / 2);
  const total = each * kinds.length * 2;
  let done = 0;
  let faults = 0;
  for (const kind of kinds) {
    let [optimal, proven, wrong, worst] = [0, 0, 0, 0];
    for (let seed = 0; seed < each; seed++) {
      const problem = smallTimed(seeded(seed), kind);
      const optimum = leastTime(problem);
      const slack = ROUNDING * Math.max(1, optimum);
      for (const backend of ["cpu", "webgpu"] as const) {
        const solution = await solveLoadBalanceLP(problem, { backend });
        const [maxTime, bound, status] = [solution.maxTime[0], solution.timeBound[0], solution.status[0]];
        const best = maxTime <= optimum + slack;
        const right =
          maxTime >= optimum - slack &&
          bound <= optimum + slack &&
          (best || (status === "gap" && !inUnits.includes(kind))) &&
          (status === "optimal" || !inUnits.includes(kind)) &&
          proves(problem, solution) &&
          certify(problem, solution)[0].valid;
        if (best) optimal++;
        if (status === "optimal") proven++;
        if (!right) wrong++;
        if (optimum > 0) worst = Math.max(worst, maxTime / optimum - 1);
        onProgress(++done, total);
      }
    }
    faults += wrong;
    const share = (count: number) => `${((100 * count) / (2 * each)).toFixed(2)} %`;
    const figures = `optimal ${share(optimal)}, proven ${share(proven)}, at worst ${(100 * worst).toFixed(1)} % above, wrong ${wrong}`;
    console.log(`${kind.padEnd(18)} ${2 * each}: ${figures}`);
  }
  return faults === 0;
}
