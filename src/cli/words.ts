export const count = (n: number) => n.toLocaleString("en");
export const plural = (n: number, what: string) => `${count(n)} ${what}${n === 1 ? "" : "s"}`;
export const range = (first: number, last: number) => (first === last ? `${first}` : `${first}-${last}`);
export const stepRange = (first: number, last: number) => `${first === last ? "step" : "steps"} ${range(first, last)}`;

/** Joins sentences into lines that fit a terminal. */
export function paragraph(...sentences: string[]): string {
  return sentences
    .join(" ")
    .replaceAll(/(.{1,80})(?: |$)/g, "$1\n")
    .trimEnd();
}
