import { openCrew } from "./crew.ts";
import { type CheckedHistory, layerHistory } from "./history.ts";
import type { LayerJob } from "./layer_tasks.ts";
import type { SearchOptions } from "./layers.ts";
import { ofValues } from "./objective.ts";
import { optimaOnCpu } from "./optima.ts";
import { Pacer } from "./pacer.ts";

/** What so many of the latest batches are worth to the search. */
export interface Fitted {
  batches: number;
  /** The objective on later batches, mean over the layers tried. */
  imbalance: number;
}

/** Layers that are tried, evenly among those that have tokens. */
const LAYERS = 4;
/** Shares of the history, as far as they are so many batches. */
const SHARES = [1 / 8, 1 / 4, 1 / 2, 1];
const FEWEST = 8;

/**
 * How much history is enough: what the portfolio makes of ever more of it, on the batches that come after.
 *
 * @param fitted  The history.  @param later  What came after, as many layers. None of its rows need be there.
 * @returns Nothing where there is too little history or time to tell.
 *
 * @internal
 */
export async function historyNeeded(
  fitted: CheckedHistory,
  later: CheckedHistory,
  jobs: readonly LayerJob[],
  { objective, seed, threads, budgetMs, signal }: SearchOptions,
): Promise<Fitted[]> {
  const recorded = jobs.map(({ layer }) => layerHistory(fitted, layer).steps);
  const full = jobs.filter(({ layer }, i) => recorded[i] >= FEWEST && layerHistory(later, layer).steps > 0);
  const every = full.length / Math.min(LAYERS, full.length);
  const tried = full.filter((_, i) => Math.floor(i / every) !== Math.floor((i - 1) / every));
  const steps = tried.reduce((most, job) => Math.max(most, recorded[jobs.indexOf(job)]), 0);
  const lengths = SHARES.map((share) => Math.round(steps * share)).filter((length) => length >= FEWEST);
  if (lengths.length < 2) return [];
  const worth = new Map<number, number[]>();
  let cut = false;
  const crew = await openCrew(threads, tried.length, { history: fitted, cost: undefined, objective, seed }, { signal });
  try {
    const find = optimaOnCpu(new Pacer(Infinity, signal));
    await crew.each(tried, { end: budgetMs, patience: 1 }, async (task, run) => {
      const { sketches, ranOut } = await run("sketch", { ...task, lengths });
      if (ranOut) cut = true;
      const { share } = layerHistory(later, task.layer);
      const found = await find(task.machine, sketches, share);
      worth.set(
        task.layer,
        found.map((values) => ofValues(objective, values)),
      );
    });
  } finally {
    await crew.close();
  }
  if (cut) return [];
  return lengths.map((batches, i) => {
    const sum = tried.reduce((all, { layer }) => all + worth.get(layer)![i], 0);
    return { batches, imbalance: sum / tried.length };
  });
}
