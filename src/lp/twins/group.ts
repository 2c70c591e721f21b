import { type GroupForm, groupForm } from "../group_form.ts";
import type { Loads } from "../problem.ts";
import type { Topology } from "../topology.ts";
import { finish } from "./finish.ts";
import { interiorPoint } from "./interior_point.ts";
import type { TwinSolution } from "./lane.ts";
import type { NewtonShape } from "./newton_system.ts";
import { type Read, readProblem, scaleLoads } from "./scaling.ts";
import { isClose } from "./tolerances.ts";

/**
 * Twin of shaders/lp/group.wgsl on LP `lp` of whole-token loads, in f64: the interior point on the places of the group's form, eliminated in its
 * order and stopped by the dual bound; the cuts of group_finish.wgsl; then the exact finish.
 */
export function group(topology: Topology): (loads: Loads, lp: number) => TwinSolution {
  const form = groupForm(topology);
  const shape: NewtonShape = {
    gpus: form.places,
    experts: form.replicas,
    speed: form.speed.slice(0, form.places),
    column: form.elimination.column,
  };
  return (loads, lp) => {
    const problem = readProblem(topology, loads, lp);
    const { x, alone, experts, tokens } = problem;
    let member = hottestOf(topology, alone);
    let iterations = 0;
    if (tokens.some((load) => load > 0)) {
      const scaled = scaleLoads(shape.speed, loadsOfPlaces(form, alone), tokens);
      let bound = 0;
      const approached = interiorPoint(shape, scaled, (best, _, dualBound) => {
        bound = Math.max(bound, dualBound);
        return isClose(best, bound);
      });
      for (const [i, e] of experts.entries()) x.set(approached.x[i], topology.replicaStart[e]);
      iterations = approached.iterations;
      member = dearest(topology, form, problem, approached.y, member);
    }
    const moves = finish(topology, loads, lp, x, member);
    return { x, member, iterations, moves };
  };
}

/** [G] 1 on the GPU with most load that has no choice. */
function hottestOf({ gpus, speed }: Topology, alone: Float64Array): Uint8Array {
  const hottest = alone.reduce((best, load, g) => (load / speed[g] > alone[best] / speed[best] ? g : best), 0);
  const member = new Uint8Array(gpus);
  member[hottest] = 1;
  return member;
}

/** Loads without a choice by place; of the place that stands for fixed GPUs, that of the hottest. */
function loadsOfPlaces({ places, rows, speed }: GroupForm, alone: Float64Array): number[] {
  const timeOf = (row: number) => alone[rows[row]] / speed[row];
  const hottestFixed = rows.slice(places).reduce((top, _, i) => Math.max(top, timeOf(places + i)), -Infinity);
  return rows.slice(0, places).map((g) => (g < 0 ? hottestFixed : alone[g]));
}

/** The better of two cuts, all GPUs and those of the larger prices, where it is better than the hottest GPU. */
function dearest(
  topology: Topology,
  form: GroupForm,
  { alone, tokens }: Read,
  y: readonly number[],
  hottest: Uint8Array,
): Uint8Array {
  const { speed } = topology;
  const { places, rows } = form;
  const first = form.fixed ? 1 : 0;
  const half = y.slice(first).reduce((a, price) => Math.max(a, price), 0) / 2;
  const g = hottest.indexOf(1);
  let best = { bound: alone[g] / speed[g], member: hottest };
  for (const least of [half, 0]) {
    const inside = (k: number) => k >= first && y[k] >= least;
    const member = new Uint8Array(hottest.length);
    let load = 0;
    let speedInside = 0;
    for (let k = first; k < places; k++) {
      if (!inside(k)) continue;
      member[rows[k]] = 1;
      load += alone[rows[k]];
      speedInside += speed[rows[k]];
    }
    for (const [e, on] of form.replicas.entries()) if (on.every(inside)) load += tokens[e];
    if (load / speedInside > best.bound) best = { bound: load / speedInside, member };
  }
  return best.member;
}
