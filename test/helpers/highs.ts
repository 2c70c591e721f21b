/** HiGHS as an independent oracle: the LP as the forms state it, not as our solvers reduce it. */
import loadHighs from "highs";
import type { FlatEdges, FlatReplicas, Instance } from "./instances.ts";

const highs = await loadHighs();

/** Relative to the loads: HiGHS works with absolute tolerances, so rows are divided by the mean load first. */
const TOLERANCES = { primal_feasibility_tolerance: 1e-10, dual_feasibility_tolerance: 1e-10 } as const;

const term = (coefficient: number, name: string) => `${coefficient < 0 ? "-" : "+"} ${Math.abs(coefficient)} ${name}`;

function minimise(rows: string[], bounds: string[]): number {
  const text = `Minimize\n obj: t\nSubject To\n${rows.join("\n")}\nBounds\n t free\n${bounds.join("\n")}\nEnd\n`;
  const { Status, ObjectiveValue } = highs.solve(text, TOLERANCES);
  if (Status !== "Optimal") throw new Error(`HiGHS: ${Status}`);
  return ObjectiveValue;
}

function edgeOptimum({ gpus, edges, load, capacity, speed }: FlatEdges, lp: number): number {
  const unit = Math.max(
    1e-300,
    Array.from({ length: gpus }, (_, g) => load[lp * gpus + g]).reduce((a, b) => a + b, 0) / gpus,
  );
  const rows = Array.from({ length: gpus }, (_, g) => {
    const flows = edges.flatMap(([from, to], e) => (from === g ? [`- f${e}`] : to === g ? [`+ f${e}`] : []));
    return ` g${g}: ${flows.join(" ")} ${term(-(speed?.[g] ?? 1), "t")} <= ${-load[lp * gpus + g] / unit}`;
  });
  const bounds = edges.map((_, e) => ` 0 <= f${e} <= ${capacity[lp * edges.length + e] / unit}`);
  return minimise(rows, bounds) * unit;
}

function replicaOptimum({ placement, expertLoad, baseLoad, speed }: FlatReplicas, lp: number): number {
  const { gpus, logicalExperts, physicalExperts, physicalToLogical, gpuOf } = placement;
  const w = Array.from({ length: logicalExperts }, (_, e) => expertLoad[lp * logicalExperts + e]);
  const unit = Math.max(1e-300, w.reduce((a, b) => a + b, 0) / gpus);
  const slots = Array.from({ length: physicalExperts }, (_, p) => p);
  const served = w.map((tokens, e) => {
    const terms = slots.filter((p) => physicalToLogical[p] === e).map((p) => `+ x${p}`);
    return ` e${e}: ${terms.join(" ")} = ${tokens / unit}`;
  });
  const rows = Array.from({ length: gpus }, (_, g) => {
    const terms = slots.filter((p) => gpuOf[p] === g).map((p) => `+ x${p}`);
    return ` g${g}: ${terms.join(" ")} ${term(-(speed?.[g] ?? 1), "t")} <= ${-(baseLoad?.[lp * gpus + g] ?? 0) / unit}`;
  });
  return minimise([...served, ...rows], []) * unit;
}

/** The LP's optimum (in fractions) of one LP of an instance. */
export function highsOptimum(instance: Instance, lp: number): number {
  return instance.form === "edge" ? edgeOptimum(instance.problem, lp) : replicaOptimum(instance.problem, lp);
}
