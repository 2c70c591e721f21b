/**
 * Of items by ascending key, the one at which their weights, added up, reach `need` > 0: of several with its key the heaviest. Where all of
 * them are not enough, as sums are rounded, one with the largest key; -1 of none. In time that grows with their number on average; the order of items changes.
 *
 * @param keys  by item.  @param weights  by item, > 0.
 */
export function weightedSelect(items: Int32Array, keys: Float64Array, weights: Float64Array, need: number): number {
  let [low, high] = [0, items.length];
  let missing = need;
  let last = -1;
  while (low < high) {
    const pivot = keys[items[(low + high) >> 1]];
    let [less, more] = [low, high];
    let lessWeight = 0;
    let equalWeight = 0;
    let heaviest = -1;
    for (let k = low; k < more; ) {
      const item = items[k];
      if (keys[item] < pivot) {
        lessWeight += weights[item];
        items[k++] = items[less];
        items[less++] = item;
      } else if (keys[item] > pivot) {
        items[k] = items[--more];
        items[more] = item;
      } else {
        equalWeight += weights[item];
        if (heaviest < 0 || weights[item] > weights[heaviest]) heaviest = item;
        k++;
      }
    }
    if (lessWeight >= missing) {
      high = less;
    } else if (lessWeight + equalWeight >= missing) {
      return heaviest;
    } else {
      missing -= lessWeight + equalWeight;
      low = more;
      last = heaviest;
    }
  }
  return last;
}
