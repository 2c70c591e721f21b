/** What `--json` and a page write is read back; what else is dropped on a page is refused in words. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readResults, resultsText } from "../../bench/results_file.ts";

const read = (name: string) => readFileSync(new URL(`../../bench/results/${name}`, import.meta.url), "utf8");
const committed = ["swiftshader_quick.json", "h100_quick.json"];

test.each(committed)("%s is read, and written as it is", (name) => {
  const text = read(name);
  const results = readResults(text);
  expect(results.rows.length).toBeGreaterThan(50);
  expect(resultsText(results)).toBe(text);
});

/** The committed file with one thing changed. */
function changed(
  change: (results: { meta: Record<string, unknown>; rows: Record<string, unknown>[] }) => void,
): string {
  const results = JSON.parse(read(committed[0]));
  change(results);
  return JSON.stringify(results);
}

test.each<[string, string, RegExp]>([
  ["no JSON", "{", /This is not JSON: .*npm run bench/s],
  ["half a file", read(committed[0]).slice(0, 1000), /This is not JSON/],
  ["null", "null", /It has no object/],
  ["an array", "[]", /It has no object/],
  ["a vLLM result", '{"request_rate": 1}', /It has an object with request_rate/],
  ["an empty object", "{}", /an object with no fields/],
  ["no rows", changed((results) => results.rows.splice(0)), /It has no rows/],
  ["no commit", changed(({ meta }) => delete meta.commit), /^meta\.commit: expected words, got nothing\.$/],
  [
    "no time",
    changed(({ rows }) => delete rows[3].usPerLp),
    /^rows\[3\]\.usPerLp: expected a number >= 0, got nothing/,
  ],
  ["a time below 0", changed(({ rows }) => Object.assign(rows[0], { p05Us: -1 })), /^rows\[0\]\.p05Us: .* got -1/],
  [
    "a gap in words",
    changed(({ rows }) => Object.assign(rows[0], { gapMax: "0" })),
    /gapMax: expected a number or null, got "0"/,
  ],
  [
    "a row of null",
    changed(({ rows }) => Object.assign(rows, { 1: null })),
    /^rows\[1\]: expected an object, got null/,
  ],
  [
    "a solver of 3",
    changed(({ rows }) => Object.assign(rows[1], { solver: 3 })),
    /^rows\[1\]\.solver: expected words, got 3/,
  ],
  ["GPU time in words", changed(({ rows }) => Object.assign(rows[1], { timestampUs: "3" })), /timestampUs: expected/],
  ["placed by nobody", changed(({ rows }) => Object.assign(rows[1], { placed: {} })), /placed\.loads: expected words/],
])("%s is refused", (_, text, message) => expect(() => readResults(text)).toThrow(message));
