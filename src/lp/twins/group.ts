/**
 * Twin of shaders/lp/group.wgsl on LP `lp` of whole-token loads, in f64: the text of newton.ts on the places of the group's form, eliminated in
 * its order, and the cuts of group_finish.wgsl; then the exact finish.
 */
import { type GroupForm, groupForm } from "../group_form.ts";
import type { Loads } from "../problem.ts";
import { numbers } from "../text/field.ts";
import { constants, type Iterate, measure, type NewtonShape } from "../text/newton.ts";
import { step } from "../text/predictor_corrector.ts";
import type { Topology } from "../topology.ts";
import { finish } from "./finish.ts";
import type { TwinSolution } from "./lane.ts";

const { MAX_ITERATIONS, TOLERANCE, LOAD_FLOOR, START_SLACK } = constants;

export function twin(topology: Topology): (loads: Loads, lp: number) => TwinSolution {
  const form = groupForm(topology);
  return (loads, lp) => {
    const { x, member, iterations } = interiorPoint(topology, form, loads, lp);
    const moves = finish(topology, loads, lp, x, member);
    return { x, member, iterations, moves };
  };
}

function interiorPoint(topology: Topology, form: GroupForm, { expertLoad, baseLoad }: Loads, lp: number) {
  const { gpus, replicaStart, replicaGpu, speed } = topology;
  const { places, rows } = form;
  const shape: NewtonShape = {
    gpus: places,
    experts: form.replicas,
    speed: form.speed.slice(0, places),
    order: [...Array(places).keys()],
    column: form.elimination.column,
  };
  const alone = Float64Array.from({ length: gpus }, (_, g) => (baseLoad ? baseLoad[lp * gpus + g] : 0));
  const x = new Float64Array(replicaGpu.length);
  for (let e = 0; e < topology.experts; e++) {
    if (replicaStart[e + 1] - replicaStart[e] !== 1) continue;
    x[replicaStart[e]] = expertLoad[lp * topology.experts + e];
    alone[replicaGpu[replicaStart[e]]] += x[replicaStart[e]];
  }
  const tokens = form.experts.map((e) => expertLoad[lp * topology.experts + e]);
  const hottest = alone.reduce((best, load, g) => (load / speed[g] > alone[best] / speed[best] ? g : best), 0);
  const member = new Uint8Array(gpus);
  member[hottest] = 1;

  // Loads shifted so that none is negative, and scaled so that sum(load) = sum(v) over the places.
  const first = form.fixed ? 1 : 0;
  const timeOf = (row: number) => alone[rows[row]] / form.speed[row];
  const hottestFixed = rows.slice(places).reduce((top, _, i) => Math.max(top, timeOf(places + i)), -Infinity);
  const given = rows.slice(0, places).map((g) => (g < 0 ? hottestFixed : alone[g]));
  const shift = given.reduce((most, load, k) => Math.max(most, -load / form.speed[k]), 0);
  const total = [...given, ...tokens].reduce((a, b) => a + b, 0) + shift * places;
  if (!tokens.some((load) => load > 0)) return { x, member, iterations: 0 };
  const scale = places / total;
  const b = given.map((load, k) => (load + shift * form.speed[k]) * scale);
  const w = tokens.map((load) => Math.max(load * scale, LOAD_FLOOR));

  const at: Iterate<number> = {
    x: form.replicas.map((on, e) => on.map(() => w[e] / on.length)),
    z: form.replicas.map((on) => on.map(() => 1 / places)),
    y: b.map(() => 1 / places),
    s: [],
    t: 0,
  };
  const start = measure(numbers, shape, b, w, at);
  at.t = start.top + START_SLACK;
  at.s = start.carried.map((load, k) => shape.speed[k] * at.t - load);

  let best = Infinity;
  let dual = 0;
  let iterations = 0;
  for (; ; iterations++) {
    const { top, sumVy, bound } = measure(numbers, shape, b, w, at);
    dual = Math.max(dual, bound);
    if (top < best) {
      best = top;
      for (const [e, row] of at.x.entries()) {
        for (const [r, value] of row.entries()) x[replicaStart[form.experts[e]] + r] = value * (tokens[e] / w[e]);
      }
    }
    if (best - dual <= TOLERANCE * Math.max(dual, LOAD_FLOOR) || iterations === MAX_ITERATIONS) break;
    Object.assign(at, step(numbers, shape, b, w, at, sumVy));
  }

  // The better of two cuts, all GPUs and those of the larger prices, where it is better than the hottest GPU.
  const half = at.y.slice(first).reduce((a, y) => Math.max(a, y), 0) / 2;
  let bound = alone[hottest] / speed[hottest];
  for (const least of [half, 0]) {
    const inside = (k: number) => k >= first && at.y[k] >= least;
    let load = 0;
    let speedInside = 0;
    for (let k = first; k < places; k++) {
      if (!inside(k)) continue;
      load += alone[rows[k]];
      speedInside += speed[rows[k]];
    }
    for (const [e, on] of form.replicas.entries()) if (on.every(inside)) load += tokens[e];
    if (load / speedInside <= bound) continue;
    bound = load / speedInside;
    member.fill(0);
    for (let k = first; k < places; k++) if (inside(k)) member[rows[k]] = 1;
  }
  return { x, member, iterations };
}
