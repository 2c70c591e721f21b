import packageJson from "../../../package.json" with { type: "json" };

/** How a report came to be, for who wants to make it again. */
export interface Made {
  /** As a shell takes it. */
  command: string;
  /** Of this package. */
  version: string;
  /** ISO 8601 in UTC, to the second. */
  date: string;
}

/** Now, by this process. */
export function madeNow(): Made {
  const words = ["evenkeel", ...process.argv.slice(2)];
  const date = `${new Date().toISOString().slice(0, "2026-01-01T00:00:00".length)}Z`;
  return { command: words.map(quoted).join(" "), version: packageJson.version, date };
}

/** A word as a shell takes it: it has taken the quotes off what the user typed. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** In the first line of generated files. */
export const MADE_BY = "Made by evenkeel";
