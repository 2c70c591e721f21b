import { Command, Option } from "commander";
import { LoadError } from "../../common/errors.ts";
import { type ReplicaProblem, tokenModes } from "../../lp/problem.ts";
import type { EdgeSolution, ReplicaSolution, TimedSolution } from "../../lp/solution.ts";
import { solveLoadBalanceLP } from "../../lp/solve.ts";
import { backends, type SolveOptions, type SolverOptions } from "../../lp/solver_options.ts";
import { type CostOptions, costOf, costOption, costTopKOption } from "../cost_options.ts";
import { type CostFile, unitOf } from "../files/cost_file.ts";
import { elements, jsonLines, writeLines } from "../files/json_lines.ts";
import { problemArgument, readProblem } from "../files/problem_file.ts";
import { deadOption } from "../gpu_list.ts";
import { interrupted } from "../interruption.ts";
import { plainTable } from "../print/plain_table.ts";
import { warn } from "../print/warning.ts";
import { paragraph, ranges } from "../print/words.ts";
import { beyondInWords } from "../reports/step_loads.ts";

type Options = Pick<SolverOptions, "backend"> &
  Pick<SolveOptions, "tokens" | "level"> &
  CostOptions & {
    dead?: number[];
    json?: boolean;
  };

/** LPs that the summary shows. */
const SHOWN = 20;

export function solveCommand(): Command {
  return new Command("solve")
    .description("solve load-balancing LPs, with a proof for each")
    .argument("<problem>", problemArgument)
    .addOption(new Option("--backend <name>", "who solves").choices(backends).default("auto"))
    .addOption(new Option("--tokens <mode>", "whole tokens or fractions; whole if all loads are").choices(tokenModes))
    .option("--level", "level the GPUs below the bottleneck, too: the same loads on every backend")
    .addOption(deadOption())
    .addOption(costOption())
    .addOption(costTopKOption())
    .option("--json", "print the solutions as JSON")
    .action(async (file: string, { dead, cost, costTopK, json, ...options }: Options) => {
      const costFile = await costOf({ cost, costTopK }, file);
      const problem = await readProblem(file, dead, costFile);
      if (costFile) warnBeyond(problem as ReplicaProblem, costFile);
      const solution = await solveLoadBalanceLP(problem, { ...options, signal: interrupted }).catch(
        withOptionsOfThisCommand,
      );
      if (json) await writeLines(jsonLines(inRows(solution)), interrupted);
      else console.log(inWords(solution, costFile));
    });
}

function warnBeyond({ expertLoad }: ReplicaProblem, cost: CostFile): void {
  const loads = Float64Array.from(Array.from(expertLoad as number[]).flat());
  const warning = beyondInWords({ loads }, cost, false);
  if (warning !== undefined) warn(warning);
}

/** Where the library's remedy is one of its options, it has another name here. */
function withOptionsOfThisCommand(error: unknown): never {
  if (error instanceof LoadError) error.message = error.message.replace('tokens: "fractional"', "--tokens fractional");
  throw error;
}

/** Fields of B rows; other arrays have a value per LP. */
export const rowFields: readonly string[] = ["gpuLoad", "price", "time", "flow", "quota"];
const plainArrays: readonly string[] = ["status", "bottleneck", "timeProof"];

/** Arrays of B rows as such, so that the answer needs no shapes to be read, and a line per LP. */
function inRows(solution: ReplicaSolution | EdgeSolution): Record<string, unknown> {
  const { batch } = solution;
  const fields = Object.entries(solution).map(([name, value]) => {
    if (!ArrayBuffer.isView(value) && !plainArrays.includes(name)) return [name, value];
    return [name, elements(value, batch, rowFields.includes(name) ? value.length / batch : undefined)];
  });
  return Object.fromEntries(fields);
}

function inWords(solution: ReplicaSolution | EdgeSolution, cost: CostFile | undefined): string {
  const { batch, status, maxLoad, lowerBound, bottleneck, backend, adapter, reason } = solution;
  const timed = "maxTime" in solution ? (solution as TimedSolution) : undefined;
  const figures: [string, Float64Array][] = timed
    ? Object.entries({ "max time": timed.maxTime, "time bound": timed.timeBound, "max load": maxLoad })
    : Object.entries({ "max load": maxLoad, "lower bound": lowerBound });
  const lps = Array.from({ length: Math.min(batch, SHOWN) }, (_, lp) => [
    `${lp}`,
    ...figures.map(([, values]) => `${Number(values[lp].toPrecision(10))}`),
    status[lp],
    bottleneck[lp].join(" "),
  ]);
  const table = plainTable([["LP", ...figures.map(([name]) => name), "status", "bottleneck GPUs"], ...lps]);
  const notes = [`Solved by ${adapter ? adapter.name : `the ${backend.toUpperCase()}`}: ${reason}`];
  if (timed) notes.unshift(`Times are in ${unitOf(cost)}.`);
  if (batch > SHOWN) notes.unshift(`The first ${SHOWN} of ${batch} LPs.`);
  if ("lost" in solution && solution.lost.length > 0) {
    notes.push(`Experts without a slot on a living GPU, whose tokens are not served: ${ranges(solution.lost)}.`);
  }
  return [table, paragraph(...notes, "The split of the tokens is in --json.")].join("\n\n");
}
