/** One LP at a time on the CPU: our interior point in f64, and a general solver, YALPS (simplex). */
import { type Model, solve as solveYalps } from "yalps";
import { lane } from "../../src/lp/twins/lane.ts";
import type { Method } from "../method.ts";
import { tokensOf, type Workload } from "../workloads.ts";

/** LPs that each is given: one at a time is no faster for more. */
export const MOST_ONE_BY_ONE = 64;

export const interiorPointTwin: Method = {
  name: "interior point, f64",
  tokens: "integer",
  exact: true,
  most: MOST_ONE_BY_ONE,
  async prepare(work) {
    const twins = work.layers.map(({ topology }) => lane(topology));
    const answers: Float64Array[] = [];
    return {
      run() {
        for (let lp = 0; lp < work.batch; lp++) answers[lp] = twins[lp % twins.length](work.loads, lp).x.slice();
      },
      answer: () => (lp) => answers[lp],
      destroy() {},
    };
  },
};

/** t may be negative in general; these workloads have t > 0, and both solvers take variables to be >= 0. */
export const yalps: Method = {
  name: "YALPS",
  tokens: "fractional",
  exact: true,
  most: MOST_ONE_BY_ONE,
  async prepare(work) {
    const models = Array.from({ length: work.batch }, (_, lp) => yalpsModel(work, lp));
    let solutions: ReturnType<typeof solveYalps>[] = [];
    return {
      run() {
        solutions = models.map((model) => solveYalps(model));
      },
      answer: () => (lp) => {
        const values = new Map(solutions[lp].variables);
        return replicasOf(work, lp).map(({ name }) => values.get(name) ?? 0);
      },
      destroy() {},
    };
  },
};

/** Replicas with the names of their variable and of the rows that they are in. */
export function replicasOf(work: Workload, lp: number) {
  const { experts, replicaStart, replicaGpu } = work.layers[lp % work.layers.length].topology;
  const replicas: { name: string; expert: string; gpu: string }[] = [];
  for (let e = 0; e < experts; e++) {
    for (let r = replicaStart[e]; r < replicaStart[e + 1]; r++) {
      replicas.push({ name: `x${r}`, expert: `e${e}`, gpu: `g${replicaGpu[r]}` });
    }
  }
  return replicas;
}

export const baseOf = ({ gpus, loads }: Workload, lp: number, g: number) => loads.baseLoad?.[lp * gpus + g] ?? 0;

function yalpsModel(work: Workload, lp: number): Model {
  const { experts } = work.layers[lp % work.layers.length].topology;
  const gpus = [...Array(work.gpus).keys()];
  const served = Array.from({ length: experts }, (_, e) => [`e${e}`, { equal: tokensOf(work, lp, e) }] as const);
  const limited = gpus.map((g) => [`g${g}`, { max: -baseOf(work, lp, g) }] as const);
  const x = replicasOf(work, lp).map(({ name, expert, gpu }) => [name, { [expert]: 1, [gpu]: 1 }] as const);
  const t = ["t", Object.fromEntries([["t", 1], ...gpus.map((g) => [`g${g}`, -1])])] as const;
  return { direction: "minimize", objective: "t", constraints: [...served, ...limited], variables: [...x, t] };
}
