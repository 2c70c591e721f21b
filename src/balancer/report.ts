import type { Slots } from "../placement/living_slots.ts";
import type { ImbalanceReport } from "./kernels/imbalance.ts";
import { imbalance } from "./twins/imbalance.ts";
import { type Timed, timeImbalance } from "./twins/time_imbalance.ts";

/** What GPUs hold under quotas [L, P], and where there is a cost, when they are done; base loads are then times, and no tokens. */
export function reportOf(
  slots: readonly Slots[],
  layers: number,
  quota: ArrayLike<number>,
  { cost, speeds, base, active }: Omit<Timed, "cost"> & { readonly cost: Timed["cost"] | undefined },
): ImbalanceReport {
  if (!cost) return imbalance(slots, layers, quota, active, base);
  return {
    ...imbalance(slots, layers, quota, active),
    ...timeImbalance(slots, layers, quota, { cost, speeds, base, active }),
  };
}
