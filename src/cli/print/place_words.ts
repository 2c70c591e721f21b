/** Where assignments go from their sources, as cells of a table. */
import { type Places, totalOf } from "../reports/assignment_places.ts";

export const placeColumns = ["own GPU", "own node", "other nodes"];

/** Shares of all assignments; none where there are none. */
export function placeCells(places: Places): string[] {
  const total = totalOf(places);
  return [places.ownGpu, places.ownNode, places.otherNodes].map((some) => (total === 0 ? "-" : percent(some / total)));
}

export const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
