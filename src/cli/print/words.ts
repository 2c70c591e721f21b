export const count = (n: number) => n.toLocaleString("en");
export const plural = (n: number, what: string) => `${count(n)} ${what}${n === 1 ? "" : "s"}`;
export const range = (first: number, last: number) => (first === last ? `${first}` : `${first}-${last}`);
export const stepRange = (first: number, last: number) => `${first === last ? "step" : "steps"} ${range(first, last)}`;

/** In whole percent, but only all of them are 100 %, and none 0 %. */
export function share(part: number): string {
  const whole = Math.round(100 * part);
  return `${part === 1 || part === 0 ? whole : Math.min(99, Math.max(1, whole))} %`;
}

/** As many decimals as show four figures. */
export function decimalsOf(value: number): number {
  return value > 0 ? Math.max(0, 3 - Math.floor(Math.log10(value))) : 0;
}

/** Ascending integers, as in "3-60" or "1, 3, 5-7". */
export function ranges(numbers: readonly number[]): string {
  const starts = numbers.filter((n, i) => n !== numbers[i - 1] + 1);
  const ends = numbers.filter((n, i) => n + 1 !== numbers[i + 1]);
  return starts.map((start, i) => range(start, ends[i])).join(", ");
}

/** Joins sentences into lines that fit a terminal. */
export function paragraph(...sentences: string[]): string {
  return sentences
    .join(" ")
    .replaceAll(/(.{1,80})(?: |$)/g, "$1\n")
    .trimEnd();
}
