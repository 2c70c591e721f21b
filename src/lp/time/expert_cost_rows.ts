/** Tables of measured times as others publish them. */
import { ArgumentError, ShapeError } from "../../common/errors.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";
import type { CostRow } from "./fit_expert_cost.ts";

/** What a table does not say, or which of its rows are meant. */
export interface CostTableOptions {
  /** Experts of a token: fills in for a column topk, or picks the rows with that number. */
  topK?: number;
  /** Experts of the model: fills in for a column num_experts, or picks. */
  experts?: number;
  /** GPUs that share the experts, 1 by default: fills in for a column ep, or picks. */
  ep?: number;
}

const optionFields = { topK: true, experts: true, ep: true } satisfies FieldsOf<CostTableOptions>;

/** What a column is called, in one table or another. */
const names = {
  tokens: ["tokens", "num_tokens"],
  activated: ["activated_experts"],
  time: ["time_us", "latency_ms"],
  topK: ["topk"],
  experts: ["num_experts"],
  ep: ["ep"],
  distribution: ["distribution"],
} as const;
type Column = keyof typeof names;

/** Routing that gives every expert equally many tokens. */
const balanced = ["uniform", "balanced"];

/**
 * The rows of a table of measured times, for `fitExpertCost`. It is CSV with a header: LLMServingSim's
 *
 *   tokens,activated_experts,time_us
 *
 * to which topK is given, or one with num_tokens, topk, num_experts, ep, latency_ms and further columns, as are made of aiconfigurator's tables. Its num_tokens
 * are those of all ep GPUs: with balanced routing one of them has n topk / ep assignments, for min(n topk / ep, num_experts / ep) of its
 * experts. Rows in which a GPU has less than one are left out. How many experts another routing activates nobody knows.
 *
 * A curve is that of one GPU, kernel, type and shape: all columns but tokens, activated experts and time must be the same in all rows that
 * `topK`, `experts` and `ep` pick. Other columns are for the caller to filter.
 *
 * @returns time in microseconds, in the order of the table.
 * @throws {ArgumentError} A column is missing, rows differ in others, or a value is out of range; line and column are named.
 * @throws {ShapeError} A line has another number of values than the header, or there is none.
 */
export function expertCostRows(csv: string, options: CostTableOptions = {}): CostRow[] {
  if (typeof csv !== "string") throw new ArgumentError("csv", "the text of a table", csv);
  requireObject("options", options, optionFields);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || (Number.isInteger(value) && value >= 1)) continue;
    throw new ArgumentError(`options.${name}`, "an integer >= 1", value);
  }
  const table = new Table(csv);
  const picked = pick(table, options);
  requireAlike(table, picked);
  const rows = table.has("activated") ? counted(table, picked, options) : shared(table, picked, options);
  if (rows.length === 0) throw new ShapeError("csv", "a row with one assignment or more", 0);
  return rows;
}

/** A line of values. */
interface Line {
  number: number;
  cells: readonly string[];
}

class Table {
  readonly header: readonly string[];
  readonly lines: readonly Line[];

  constructor(csv: string) {
    const [header, ...lines] = csv
      .replace(/^\ufeff/, "")
      .split(/\r?\n/)
      .map((line, i) => ({ number: i + 1, cells: line.split(",").map((cell) => cell.trim()) }));
    this.header = header.cells;
    this.lines = lines.filter(({ cells }) => cells.length > 1 || cells[0] !== "");
    for (const column of ["tokens", "time"] as const) {
      if (this.has(column)) continue;
      const remedy = "The first line names the columns.";
      throw new ArgumentError("csv", `a column ${names[column].join(" or ")}`, header.cells.join(), remedy);
    }
    if (this.lines.length === 0) throw new ShapeError("csv", "a line of values below the header", 0);
    for (const { number, cells } of this.lines) {
      if (cells.length === header.cells.length) continue;
      throw new ShapeError(`csv: line ${number}`, `${header.cells.length} values, as in the header`, cells.length);
    }
  }

  nameOf(column: Column): string | undefined {
    return names[column].find((name) => this.header.includes(name));
  }

  has(column: Column): boolean {
    return this.nameOf(column) !== undefined;
  }

  text({ cells }: Line, column: Column): string {
    return cells[this.header.indexOf(this.nameOf(column)!)];
  }

  /** @throws {ArgumentError} It is none, or not `right`. */
  number(line: Line, column: Column, expected: string, right: (value: number) => boolean): number {
    const text = this.text(line, column);
    const value = text === "" ? Number.NaN : Number(text);
    if (value < Infinity && right(value)) return value;
    throw new ArgumentError(`csv: line ${line.number}, ${this.nameOf(column)}`, expected, text);
  }

  count(line: Line, column: Column): number {
    return this.number(line, column, "an integer >= 1", (value) => Number.isInteger(value) && value >= 1);
  }

  above0(line: Line, column: Column): number {
    return this.number(line, column, "a number > 0", (value) => value > 0);
  }

  timeUs(line: Line): number {
    return this.above0(line, "time") * (this.nameOf("time") === "latency_ms" ? 1000 : 1);
  }
}

/** The lines that have what the options say. */
function pick(table: Table, options: CostTableOptions): readonly Line[] {
  let lines = table.lines;
  for (const option of ["topK", "experts", "ep"] as const) {
    const wanted = options[option];
    if (wanted === undefined || !table.has(option)) continue;
    const left = lines.filter((line) => table.count(line, option) === wanted);
    if (left.length === 0) {
      const found = several(lines.map((line) => table.text(line, option)));
      throw new ArgumentError(`options.${option}`, `one of the table's, ${found}`, wanted);
    }
    lines = left;
  }
  return lines;
}

/** Distinct values in words. */
function several(values: readonly string[]): string {
  const distinct = [...new Set(values)];
  const more = distinct.length > SHOWN ? ` and ${distinct.length - SHOWN} more` : "";
  return distinct.slice(0, SHOWN).join(", ") + more;
}

const SHOWN = 6;

function requireAlike(table: Table, lines: readonly Line[]): void {
  const measures = (["tokens", "activated", "time"] as const).map((column) => table.nameOf(column));
  const differing = table.header.flatMap((name, i) => {
    const values = lines.map(({ cells }) => cells[i]);
    return measures.includes(name) || new Set(values).size === 1 ? [] : [`${name} (${several(values)})`];
  });
  if (differing.length === 0) return;
  const remedy = `They differ in ${differing.join(", ")}. Keep the lines of one; topK, experts and ep pick theirs.`;
  throw new ArgumentError("csv", "lines measured alike but for tokens and activated experts", "several kinds", remedy);
}

/** Rows that say how many experts are activated. */
function counted(table: Table, lines: readonly Line[], { topK, ...others }: CostTableOptions): CostRow[] {
  for (const [name, value] of Object.entries(others)) {
    if (value === undefined || table.has(name as Column)) continue;
    throw new ArgumentError(`options.${name}`, "none, as the table counts activated experts", value);
  }
  return lines.map((line) => {
    const k = topKOf(table, line, topK);
    const tokens = table.above0(line, "tokens");
    const most = tokens * k;
    const expected = `a number from 1 to tokens * topK = ${most}`;
    const activated = table.number(line, "activated", expected, (value) => value >= 1 && value <= most);
    return { tokens, activated, topK: k, time: table.timeUs(line) };
  });
}

/** Rows of tokens that ep GPUs share. */
function shared(table: Table, lines: readonly Line[], options: CostTableOptions): CostRow[] {
  return lines.flatMap((line) => {
    const topK = topKOf(table, line, options.topK);
    const experts = table.has("experts") ? table.count(line, "experts") : options.experts;
    if (experts === undefined) {
      const remedy = "The table has no column activated_experts or num_experts.";
      throw new ArgumentError("options.experts", "how many experts the model has", undefined, remedy);
    }
    const ep = table.has("ep") ? table.count(line, "ep") : (options.ep ?? 1);
    if (ep > experts) {
      const where = table.has("ep") ? `csv: line ${line.number}, ep` : "options.ep";
      throw new ArgumentError(where, `at most as many GPUs as experts, ${experts}`, ep);
    }
    if (table.has("distribution") && !balanced.includes(table.text(line, "distribution"))) {
      const where = `csv: line ${line.number}, ${table.nameOf("distribution")}`;
      throw new ArgumentError(where, balanced.join(" or "), table.text(line, "distribution"));
    }
    const tokens = table.above0(line, "tokens") / ep;
    const time = table.timeUs(line);
    const activated = Math.min(tokens * topK, experts / ep);
    return activated < 1 ? [] : [{ tokens, activated, topK, time }];
  });
}

function topKOf(table: Table, line: Line, given: number | undefined): number {
  const topK = table.has("topK") ? table.count(line, "topK") : given;
  if (topK !== undefined) return topK;
  throw new ArgumentError("options.topK", "how many experts a token has", undefined, "The table has no column topk.");
}
