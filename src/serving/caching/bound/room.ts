/** What a sum of doubles may be off by: what fits but for that fits. */
const ROUNDING = 2 ** -40;

/** How many of a size fit. */
export const howMany = (capacity: number, size: number): number => Math.floor((capacity / size) * (1 + ROUNDING));
