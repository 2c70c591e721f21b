import type { Placement } from "../../src/index.ts";

/** Of the series that are not grey, or as dark as text. */
const HUES = 6;

/** [E] Experts that have a choice of replica have a colour each, as far as there are colours; the others are grey. */
export function huesOf({ replicaCount }: Placement): string[] {
  let coloured = 0;
  return Array.from(replicaCount, (replicas) => `var(--series-${replicas > 1 ? 1 + (coloured++ % HUES) : 0})`);
}
