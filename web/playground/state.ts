/** What the page shows, as plain values: all that a link carries. */
import { ArgumentError } from "../../src/common/errors.ts";
import { MAX_TOKENS } from "../../src/common/numbers.ts";
import { topologies } from "../../src/index.ts";

/** LPLB's replica graphs. */
export const graphs = {
  ring4: { name: "ring of 4", r2o: topologies.ring(4) },
  ring8: { name: "ring of 8", r2o: topologies.ring(8) },
  cube8: { name: "cube of 8", r2o: topologies.cube8() },
  hypercube16: { name: "hypercube of 16", r2o: topologies.hypercube16() },
  torus4x4: { name: "torus of 4 x 4", r2o: topologies.torus2d(4, 4) },
  torus8x8: { name: "torus of 8 x 8", r2o: topologies.torus2d(8, 8) },
};
export type GraphName = keyof typeof graphs;

export const placers = ["eplb", "planner", "topology", "file"] as const;
export const sources = ["lognormal", "zipf", "file"] as const;
export const backends = ["auto", "cpu", "webgpu"] as const;

export interface State {
  /** Who places the experts. */
  place: (typeof placers)[number];
  topology: GraphName;
  gpus: number;
  experts: number;
  redundant: number;
  /** The expert in each slot, as a file has it or the planner has found it; empty, if it has not. */
  map: readonly number[];
  /** Slots of each GPU, where a file has unequally many; else empty. */
  slots: readonly number[];
  placementFile: string;
  /** Where loads come from. */
  loads: (typeof sources)[number];
  skew: number;
  /** How far popularities have moved since the experts were placed: 0 not at all, 1 to others that have nothing to do with them. */
  drift: number;
  tokens: number;
  seed: number;
  loadsFile: string;
  /** Mean load of each expert, by which they are placed, where a file says it. */
  expected: readonly number[];
  /** Loads of the batch as a file has them or as they were drawn by hand; empty, if the generator's are taken. */
  batch: readonly number[];
  /** Of the roofline, in us. */
  perExpert: number;
  perToken: number;
  /** [G], or empty: all 1. */
  speed: readonly number[];
  dead: readonly number[];
  backend: (typeof backends)[number];
}

/** The largest that the page draws. */
export const MOST = { gpus: 512, experts: 1024, slots: 4096 };

export interface Field<T> {
  initial: T;
  /** @throws {ArgumentError} The text is no such value. */
  read(name: string, text: string): T;
  write(value: T): string;
}

export const speedField = number(1, 1e-3, 1e3);

export const fields: { readonly [Name in keyof State]: Field<State[Name]> } = {
  place: oneOf(placers, "eplb"),
  topology: oneOf(Object.keys(graphs) as GraphName[], "cube8"),
  gpus: integer(8, 1, MOST.gpus),
  experts: integer(32, 1, MOST.experts),
  redundant: integer(8, 0, MOST.slots),
  map: list(integer(0, -1, MOST.experts - 1), MOST.slots),
  slots: list(integer(0, 0, MOST.slots), MOST.gpus),
  placementFile: words(),
  loads: oneOf(sources, "lognormal"),
  skew: number(0.7, 0, 4),
  drift: number(0.4, 0, 1),
  tokens: integer(8192, 0, MAX_TOKENS),
  seed: integer(11, 0, 2 ** 32 - 1),
  loadsFile: words(),
  expected: list(number(0, 0, MAX_TOKENS), MOST.experts),
  batch: list(integer(0, 0, MAX_TOKENS), MOST.experts),
  perExpert: number(6.3, 0, 1e6),
  perToken: number(0.035, 0, 1e6),
  speed: list(speedField, MOST.gpus),
  dead: list(integer(0, 0, MOST.gpus - 1), MOST.gpus),
  backend: oneOf(backends, "auto"),
};

export const initial = Object.fromEntries(
  Object.entries(fields).map(([name, field]) => [name, field.initial]),
) as unknown as State;

function oneOf<T extends string>(values: readonly T[], initial: T): Field<T> {
  return {
    initial,
    read(name, text) {
      const value = values.find((one) => one === text);
      if (value !== undefined) return value;
      throw new ArgumentError(name, `one of ${values.join(", ")}`, text);
    },
    write: (value) => value,
  };
}

function integer(initial: number, least: number, most: number): Field<number> {
  return numeric(initial, least, most, "a whole number", Number.isInteger);
}

function number(initial: number, least: number, most: number): Field<number> {
  return numeric(initial, least, most, "a number", Number.isFinite);
}

function numeric(
  initial: number,
  least: number,
  most: number,
  what: string,
  isOne: (value: number) => boolean,
): Field<number> {
  return {
    initial,
    read(name, text) {
      const value = Number(text);
      if (text.trim() !== "" && isOne(value) && value >= least && value <= most) return value;
      throw new ArgumentError(name, `${what} from ${least} to ${most}`, text);
    },
    write: String,
  };
}

function list(of: Field<number>, most: number): Field<readonly number[]> {
  return {
    initial: [],
    read(name, text) {
      const parts = text === "" ? [] : text.split(",");
      if (parts.length > most) throw new ArgumentError(name, `at most ${most} numbers`, parts.length);
      return parts.map((part, i) => of.read(`${name}[${i}]`, part));
    },
    write: (values) => values.map(of.write).join(","),
  };
}

/** Of a file's name. */
const MOST_LETTERS = 200;

function words(): Field<string> {
  return {
    initial: "",
    read(name, text) {
      if (text.length > MOST_LETTERS) throw new ArgumentError(name, `at most ${MOST_LETTERS} letters`, text.length);
      return text.replaceAll(/\p{Cc}+/gu, " ");
    },
    write: (value) => value.slice(0, MOST_LETTERS),
  };
}

/**
 * The same with what does not fit its other fields made to fit: after a change of one of them.
 *
 * Redundant replicas fill the GPUs up; loads, maps, speeds and dead GPUs of other experts or GPUs are forgotten.
 */
export function adapted(state: State): State {
  const next = { ...state };
  if (next.place === "topology") {
    const { r2o } = graphs[next.topology];
    const least = r2o.length * r2o[0].length;
    next.gpus = r2o.length;
    next.experts = Math.min(MOST.experts, Math.max(least, Math.round(next.experts / next.gpus) * next.gpus));
    next.redundant = least;
  } else if (next.place !== "file") {
    const { gpus, experts } = next;
    const perGpu = Math.max(1, Math.ceil((experts + next.redundant) / gpus));
    next.redundant = gpus * perGpu - experts;
    if (next.redundant < 0 || experts + next.redundant > MOST.slots)
      next.redundant = gpus * Math.ceil(experts / gpus) - experts;
  }
  const { experts, gpus, redundant } = next;
  if (next.place === "eplb" || next.place === "topology") next.map = [];
  if (next.place === "planner" && next.map.length !== experts + redundant) next.map = [];
  if (next.place !== "file") Object.assign(next, { slots: [], placementFile: "" });
  if (next.batch.length !== experts) next.batch = [];
  if (next.loads === "file" && (next.expected.length !== experts || next.batch.length !== experts))
    next.loads = "lognormal";
  if (next.loads !== "file") Object.assign(next, { expected: [], loadsFile: "" });
  if (next.speed.length !== gpus || next.speed.every((v) => v === 1)) next.speed = [];
  const dead = next.dead.filter((g) => g < gpus);
  next.dead = dead.length === gpus ? [] : dead;
  return next;
}
