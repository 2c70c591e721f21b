/** Lists as the command line takes them: "1-4,8" and "0.5x,1x,40". */

const MOST = 1024;

/** Integers and ranges of them, each number once, in the order given; undefined where it is none. */
export function integersOf(text: string, least: number, most: number): number[] | undefined {
  const numbers: number[] = [];
  for (const part of text.split(",")) {
    const [, first, last = first] = /^\s*(\d+)(?:\s*-\s*(\d+))?\s*$/.exec(part) ?? [];
    if (first === undefined || Number(first) > Number(last) || Number(first) < least || Number(last) > most)
      return undefined;
    if (Number(last) - Number(first) >= MOST) return undefined;
    for (let n = Number(first); n <= Number(last); n++) numbers.push(n);
  }
  return [...new Set(numbers)];
}

/** A rate, or a multiple of the trace's own. */
export interface Rate {
  value: number;
  isMultiple: boolean;
}

/** Undefined where it is no list of numbers above 0. */
export function ratesOf(text: string): Rate[] | undefined {
  const rates = text.split(",").map((part) => {
    const [, number, times] = /^\s*(\d*\.?\d+(?:e[+-]?\d+)?)\s*(x?)\s*$/i.exec(part) ?? [];
    return { value: Number(number), isMultiple: times !== undefined && times !== "" };
  });
  return rates.every(({ value }) => value > 0 && Number.isFinite(value)) ? rates : undefined;
}
