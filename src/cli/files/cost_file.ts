import { ArgumentError } from "../../common/errors.ts";
import { checkCost, type ExpertCost } from "../../lp/time/expert_cost.ts";
import { expertCostRows } from "../../lp/time/expert_cost_rows.ts";
import { fitExpertCost } from "../../lp/time/fit_expert_cost.ts";
import { type Content, jsonOf, textOf } from "./content.ts";
import { fieldsFound } from "./fields.ts";

/** What an expert's tokens cost, as a file says. */
export interface CostFile {
  source: string;
  /** In the file's unit of time, microseconds where it is a table. */
  cost: ExpertCost;
  /** The most tokens of an expert that a curve has a time for; Infinity where it is no curve. */
  last: number;
  /** How well a table is met. */
  fit?: { rows: number; error: number };
}

/**
 * A cost: JSON `{ model, perExpert, perToken, tile? }`, `{ tokens, time }` or what `fitExpertCost` returns, `{ cost, hull, error }`; or
 * a table of measured times in CSV, as `expertCostRows` takes it, to which a curve is fitted.
 *
 * @param topK  experts of a token, which a table may leave out.
 * @throws {ArgumentError} It is none of these, or says what cannot be; field, or line and column are named.
 */
export function parseCost(content: Content, topK?: number): CostFile {
  const text = textOf(content);
  if (!/^\s*[{[]/.test(text)) return fittedTo(content.name, text, topK);
  if (topK !== undefined) throw new ArgumentError("--cost-top-k", `none, as ${content.name} is no table`, topK);
  return jsonCost(content.name, jsonOf(content));
}

function jsonCost(source: string, json: unknown): CostFile {
  const given = typeof json === "object" && json !== null && "cost" in json ? json.cost : json;
  const isCost = typeof given === "object" && given !== null && ("model" in given || "tokens" in given);
  if (!isCost) {
    const expected = "{ model, perExpert, perToken } or { tokens, time }, or a table with a header";
    throw new ArgumentError(source, expected, given, fieldsFound(given));
  }
  const cost = given as ExpertCost;
  checkCost(cost, `${source}: cost`);
  return { source, cost, last: "model" in cost ? Infinity : cost.tokens[cost.tokens.length - 1] };
}

function fittedTo(source: string, csv: string, topK: number | undefined): CostFile {
  try {
    const rows = expertCostRows(csv, { topK });
    const { cost, error } = fitExpertCost(rows);
    return { source, cost, last: cost.tokens[cost.tokens.length - 1], fit: { rows: rows.length, error } };
  } catch (error) {
    if (error instanceof ArgumentError) error.message = inWordsOfCli(source, error.message);
    throw error;
  }
}

/** The library's message with the names that the reader knows. */
function inWordsOfCli(source: string, message: string): string {
  if (message.startsWith("options.topK: ")) return message.replace("options.topK", "--cost-top-k");
  const own = message.replace(/^(?:csv|rows): /, "").replace("; topK, experts and ep pick theirs", "");
  return `${source}: ${own.replace(/^options\.experts: expected/, "expected a column num_experts,")}`;
}

/** Of its times; a cost without a table has its own, whatever it is. */
export function unitOf(cost: Pick<CostFile, "fit"> | undefined): string {
  return cost?.fit ? "us" : "the unit of the cost";
}

/** A sentence for a legend. */
export function costInWords({ source, fit }: Pick<CostFile, "source" | "fit">): string {
  if (!fit) return `Cost of an expert's tokens: ${source}.`;
  const error = `${(100 * fit.error).toPrecision(2)} %`;
  return `Cost of an expert's tokens: fitted to ${fit.rows} measured times of ${source}, each ${error} from what the others predict, on average.`;
}
