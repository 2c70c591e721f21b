/** GPUs that hold each expert, read off a physical-to-logical map. */
export function hosts(map: readonly number[], gpus: number): number[][] {
  const gpusOf: number[][] = Array.from({ length: Math.max(...map) + 1 }, () => []);
  for (const [slot, expert] of map.entries()) gpusOf[expert].push(Math.floor(slot / (map.length / gpus)));
  return gpusOf;
}

/** The least maximum load in whole tokens, by trying every set of GPUs: what can only be served inside it takes at least its share. */
export function optimum(load: readonly number[], gpusOf: readonly number[][], gpus: number): number {
  let most = 0;
  for (let set = 1; set < 2 ** gpus; set++) {
    const members = Array.from({ length: gpus }, (_, g) => (set >> g) & 1);
    const inside = load.filter((_, e) => gpusOf[e].every((g) => members[g])).reduce((a, b) => a + b, 0);
    most = Math.max(most, Math.ceil(inside / members.reduce((a, b) => a + b)));
  }
  return most;
}

/**
 * The maximum load of each way to split one batch, from the batch and the placement alone. Evenly, whole tokens are dealt one by one: token m
 * of w, counted from 1, goes to slot ceil(m n / w) of the n slots of its expert.
 */
export function maxLoads(load: readonly number[], map: readonly number[], gpus: number) {
  const gpusOf = hosts(map, gpus);
  const originals = new Array<number>(gpus).fill(0);
  const even = new Array<number>(gpus).fill(0);
  for (const [e, tokens] of load.entries()) {
    originals[Math.floor(e / (load.length / gpus))] += tokens;
    const slots = gpusOf[e];
    for (let m = 1; m <= tokens; m++) even[slots[Math.ceil((m * slots.length) / tokens) - 1]]++;
  }
  return { originals: Math.max(...originals), even: Math.max(...even), solved: optimum(load, gpusOf, gpus) };
}
