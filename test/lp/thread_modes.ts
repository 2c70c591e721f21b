/** All that threads may have to solve: what on, with what, and batches of it. */
import { isDeepStrictEqual } from "node:util";
import { expect } from "vitest";
import { seeded } from "../../src/common/random.ts";
import { topologies } from "../../src/index.ts";
import { randomPlacement } from "../helpers/instances.ts";

const random = seeded(1901);
const counts = (length: number, most: number) => Int32Array.from({ length }, () => random.below(most));
export const graph = { gpus: 8, edges: topologies.edges(topologies.cube8()) };
const { gpus, edges } = graph;
export const placement = randomPlacement(random, 6, 4, 8, 2);
const experts = placement.logicalExperts;
const active = [true, true, false, true, true, true];
const speed = [1, 2, 1, 0.5, 1.25, 3];
export const most = 10_000;
const expertLoad = counts(most * experts, 500);
const fractions = Float64Array.from(expertLoad, (load) => load / 7);
const baseLoad = counts(most * 6, 300).map((load) => load - 100);
const rows = <T extends Int32Array | Float64Array>(values: T, width: number, batch: number) =>
  values.slice(0, batch * width) as T;
export const inBatch = (batch: number, loads = expertLoad as Int32Array | Float64Array) => ({
  expertLoad: rows(loads, experts, batch),
});
const edgeLoads = { load: counts(most * gpus, 900), capacity: counts(most * edges.length, 300) };

/** What is solved on, with what, and batches of it. */
export const modes = {
  "edge form": {
    form: graph,
    options: {},
    call: {},
    batch: (b: number) => ({
      load: rows(edgeLoads.load, gpus, b),
      capacity: rows(edgeLoads.capacity, edges.length, b),
    }),
  },
  "whole tokens": { form: placement, options: {}, call: {}, batch: (b: number) => inBatch(b) },
  levelled: { form: placement, options: {}, call: { level: true }, batch: (b: number) => inBatch(b) },
  fractions: { form: placement, options: {}, call: {}, batch: (b: number) => inBatch(b, fractions) },
  "unequal speeds": { form: placement, options: { speed }, call: {}, batch: (b: number) => inBatch(b) },
  "dead GPUs": { form: placement, options: { active }, call: {}, batch: (b: number) => inBatch(b) },
  "base loads, levelled": {
    form: placement,
    options: { active },
    call: { level: true },
    batch: (b: number) => ({ ...inBatch(b), baseLoad: rows(baseLoad, 6, b) }),
  },
  "base loads and fractions at unequal speeds": {
    form: placement,
    options: { speed },
    call: {},
    batch: (b: number) => ({ ...inBatch(b, fractions), baseLoad: rows(baseLoad, 6, b) }),
  },
  "a cost": {
    form: placement,
    options: { cost: { model: "roofline", perExpert: 40, perToken: 0.5 } },
    call: {},
    batch: (b: number) => inBatch(b),
  },
  "a cost, base times and dead GPUs": {
    form: placement,
    options: { cost: { model: "affine", perExpert: 9, perToken: 0.25, tile: 16 }, active },
    call: {},
    batch: (b: number) => ({ ...inBatch(b), baseLoad: Float64Array.from(rows(baseLoad, 6, b), (load) => load / 3) }),
  },
} as const;

export type Mode = keyof typeof modes;
export type Given = ReturnType<typeof inBatch>;
export const names = Object.keys(modes) as Mode[];

/** Every bit of every field; much faster than toEqual. */
export function expectSame(found: object, expected: object): void {
  expect(Object.keys(found)).toEqual(Object.keys(expected));
  for (const [name, part] of Object.entries(expected)) {
    expect(isDeepStrictEqual(found[name as keyof typeof found], part), name).toBe(true);
  }
}
