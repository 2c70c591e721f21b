/** What `--json` writes, and a page offers: rows, and what they were measured with. */
import type { Row } from "./row.ts";

/** What the rows were measured with. */
export interface Meta {
  /** Of the repository; "-dirty" where files differ from it. */
  commit: string;
  adapter: string;
  driver: string;
  cpu: string;
  /** On the command line: Node's version, and that of the npm package. */
  node?: string;
  webgpu?: string;
  /** In a page: what the browser says of itself, how often its clock ticks, in what steps it tells GPU time, and what the device may use. */
  browser?: string;
  clockStepUs?: number;
  timestampStepUs?: number;
  limits?: Record<string, number>;
}

export interface Results {
  meta: Meta;
  rows: Row[];
}

export function resultsText({ meta, rows }: Results): string {
  return `${JSON.stringify({ meta, rows }, null, 1)}\n`;
}

const words = ["question", "solver", "topology"] as const satisfies (keyof Row)[];
const figures = ["gpus", "experts", "replicas", "batch", "medianUs", "p05Us", "p95Us", "usPerLp"] as const;
const maybeFigures = ["gapMean", "gapMax", "optimalShare"] as const;
const metaWords = ["commit", "adapter", "driver", "cpu"] as const satisfies (keyof Meta)[];

/** @throws {Error} It is none: what was expected, and what came. */
export function readResults(text: string): Results {
  const told = `Expected a file that \`npm run bench -- --json FILE\` or this page writes: { "meta": { ... }, "rows": [ ... ] }.`;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new Error(`This is not JSON: ${(error as Error).message}. ${told}`);
  }
  const { meta, rows } = (parsed ?? {}) as Partial<Results>;
  if (!isRecord(meta) || !Array.isArray(rows)) {
    const got = isRecord(parsed)
      ? `an object with ${Object.keys(parsed).slice(0, 8).join(", ") || "no fields"}`
      : "no object";
    throw new Error(`${told} It has ${got}.`);
  }
  for (const name of metaWords) requireThat(typeof meta[name] === "string", `meta.${name}`, "words", meta[name]);
  if (rows.length === 0) throw new Error(`${told} It has no rows.`);
  for (const [i, row] of (rows as unknown[]).entries()) requireRow(row, `rows[${i}]`);
  return { meta, rows };
}

function requireRow(row: unknown, at: string): void {
  requireThat(isRecord(row), at, "an object", row);
  const fields = row as Record<string, unknown>;
  for (const name of words) requireThat(typeof fields[name] === "string", `${at}.${name}`, "words", fields[name]);
  for (const name of figures) requireThat(isFigure(fields[name]), `${at}.${name}`, "a number >= 0", fields[name]);
  for (const name of maybeFigures) {
    requireThat(
      fields[name] === null || Number.isFinite(fields[name]),
      `${at}.${name}`,
      "a number or null",
      fields[name],
    );
  }
  const { timestampUs, placed } = fields;
  requireThat(timestampUs === undefined || isFigure(timestampUs), `${at}.timestampUs`, "a number >= 0", timestampUs);
  if (placed === undefined) return;
  requireThat(isRecord(placed), `${at}.placed`, "an object", placed);
  const { loads, imbalance, p95 } = placed as Record<string, unknown>;
  requireThat(typeof loads === "string", `${at}.placed.loads`, "words", loads);
  requireThat(isFigure(imbalance), `${at}.placed.imbalance`, "a number >= 0", imbalance);
  requireThat(isFigure(p95), `${at}.placed.p95`, "a number >= 0", p95);
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isFigure = (value: unknown) => typeof value === "number" && Number.isFinite(value) && value >= 0;

function requireThat(holds: boolean, at: string, expected: string, got: unknown): void {
  if (!holds) throw new Error(`${at}: expected ${expected}, got ${JSON.stringify(got) ?? "nothing"}.`);
}
