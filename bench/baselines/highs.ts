/** HiGHS, a general solver in WebAssembly, one LP at a time. */
import loadHighs from "highs";
import type { Method } from "../method.ts";
import { tokensOf, type Workload } from "../workloads.ts";
import { baseOf, MOST_ONE_BY_ONE, replicasOf } from "./general.ts";

export const highs: Method = {
  name: "HiGHS (WebAssembly)",
  tokens: "fractional",
  exact: true,
  most: MOST_ONE_BY_ONE,
  async prepare(work) {
    const solver = await loadHighs();
    const texts = Array.from({ length: work.batch }, (_, lp) => highsText(work, lp));
    let solutions: ReturnType<typeof solver.solve>[] = [];
    return {
      run() {
        solutions = texts.map((text) => solver.solve(text));
      },
      answer: () => (lp) => {
        const columns = solutions[lp].Columns as Record<string, { Primal?: number }>;
        return replicasOf(work, lp).map(({ name }) => columns[name].Primal ?? Number.NaN);
      },
      destroy() {},
    };
  },
};

function highsText(work: Workload, lp: number): string {
  const { experts } = work.layers[lp % work.layers.length].topology;
  const replicas = replicasOf(work, lp);
  const sum = (row: string) =>
    replicas.filter(({ expert, gpu }) => expert === row || gpu === row).map(({ name }) => `+ ${name}`);
  const served = Array.from({ length: experts }, (_, e) => ` ${sum(`e${e}`).join(" ")} = ${tokensOf(work, lp, e)}`);
  const limited = Array.from({ length: work.gpus }, (_, g) => {
    return ` ${[...sum(`g${g}`), "- t"].join(" ")} <= ${-baseOf(work, lp, g)}`;
  });
  return `Minimize\n t\nSubject To\n${[...served, ...limited].join("\n")}\nEnd\n`;
}
