/** Base loads for `shared`, and the oracle of what a balancer makes of them. */
import { expect } from "vitest";
import { seeded } from "../../src/common/random.ts";
import type { Balanced } from "../../src/index.ts";
import { rowOf } from "../helpers/arrays.ts";
import { shared } from "../helpers/batches.ts";
import { livingFaults } from "../helpers/crew.ts";
import { expectReport, recomputed } from "../helpers/imbalance.ts";

export const [L, E, P, G] = [3, 32, shared.placement[0].physicalExperts, 8];
export const all = new Array<boolean>(G).fill(true);

/** [L][G], about as much as the experts bring, and a third of it 0. */
function randomBase(seed: number): number[][] {
  const random = seeded(seed);
  return Array.from({ length: L }, () => all.map(() => (random.next() < 1 / 3 ? 0 : random.below(400))));
}
export const [base, other] = [randomBase(602), randomBase(603)];

/** [L][width] */
export const rows = (values: Int32Array, width: number) =>
  Array.from({ length: L }, (_, l) => [...rowOf(values, l, width)]);

/** Ids followed, optimum against the exact solver's, proof certified, both reports recomputed. */
export async function expectRight(batch: Int32Array, balanced: Balanced, baseLoad: number[][], speed?: number[]) {
  const asked = { placements: shared.placement, layers: L, ids: batch, active: all, baseLoad };
  expect(await livingFaults({ ...asked, ...(speed && { speed }) }, balanced)).toEqual([]);
  const counts = rows(balanced.counts, E);
  expectReport(balanced.before, recomputed(shared.placement, counts, undefined, baseLoad));
  expectReport(balanced.after, recomputed(shared.placement, counts, rows(balanced.quota, P), baseLoad));
  for (let l = 0; l < L; l++) expect([...(balanced.proof(l).problem.baseLoad as Int32Array)]).toEqual(baseLoad[l]);
}
