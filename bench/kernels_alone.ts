/** evenkeel's solvers on the CPU without what a call has around them: no checks, no judge. One core. */
import { exactSolver } from "../src/lp/exact.ts";
import { simdSolver } from "../src/lp/simd/simd_solver.ts";
import { emptyRaw } from "../src/lp/solution.ts";
import type { Method } from "./method.ts";
import { answerFrom, loadsOf } from "./ours.ts";

export const simdAlone: Method = {
  name: "evenkeel simd",
  tokens: "integer",
  exact: true,
  async prepare(work) {
    const layers = await Promise.all(
      work.layers.map(async ({ topology }, layer) => {
        const solver = await simdSolver(topology);
        if ("reason" in solver) throw new Error(`${work.name}: ${solver.reason}`);
        const loads = { ...loadsOf(work, layer), tokens: "integer" as const };
        return { solver, loads, raw: emptyRaw(topology, loads) };
      }),
    );
    return {
      run() {
        for (const { solver, loads, raw } of layers) solver.solve(loads, 0, loads.batch, raw);
      },
      answer: () => answerFrom(work, (layer) => layers[layer].raw.quota),
      destroy() {},
    };
  },
};

export const exactAlone: Method = {
  name: "exact JavaScript",
  tokens: "integer",
  exact: true,
  async prepare(work) {
    const { batch, gpus, layers, loads } = work;
    const solvers = layers.map(({ topology }) => exactSolver(topology));
    const rows = Array.from({ length: batch }, (_, lp) => ({
      x: new Float64Array(layers[lp % layers.length].topology.replicaGpu.length),
      member: new Uint8Array(gpus),
    }));
    return {
      run() {
        for (const [lp, { x, member }] of rows.entries()) solvers[lp % solvers.length].solve(loads, lp, x, member);
      },
      answer: () => (lp) => rows[lp].x,
      destroy() {},
    };
  },
};
