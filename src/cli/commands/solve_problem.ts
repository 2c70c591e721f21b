import { Command, Option } from "commander";
import { ArgumentError, LoadError } from "../../common/errors.ts";
import { type LoadBalanceProblem, type ReplicaProblem, tokenModes } from "../../lp/problem.ts";
import type { EdgeSolution, ReplicaSolution, TimedSolution } from "../../lp/solution.ts";
import { solveLoadBalanceLP } from "../../lp/solve.ts";
import { backends, type SolveOptions, type SolverOptions } from "../../lp/solver_options.ts";
import { checkDistance } from "../../placement/distance.ts";
import type { Placement } from "../../placement/placement.ts";
import { type CostOptions, costOf, costOption, costTopKOption } from "../cost_options.ts";
import { type CostFile, unitOf } from "../files/cost_file.ts";
import { jsonLines, writeLines } from "../files/json_lines.ts";
import { problemArgument } from "../files/problem_file.ts";
import { readProblem } from "../files/read_files.ts";
import { inRows } from "../files/solution_file.ts";
import { deadOption } from "../gpu_list.ts";
import { interrupted } from "../interruption.ts";
import { slackOption } from "../options.ts";
import { placeCells, placeColumns } from "../print/place_words.ts";
import { plainTable } from "../print/plain_table.ts";
import { warn } from "../print/warning.ts";
import { paragraph, ranges } from "../print/words.ts";
import { placesOf } from "../reports/assignment_places.ts";
import { beyondInWords } from "../reports/step_loads.ts";

type Options = Pick<SolverOptions, "backend"> &
  Pick<SolveOptions, "tokens" | "level" | "slack"> &
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
    .addOption(slackOption())
    .addOption(deadOption())
    .addOption(costOption())
    .addOption(costTopKOption())
    .option("--json", "print the solutions as JSON")
    .action(async (file: string, { dead, cost, costTopK, json, ...options }: Options) => {
      const costFile = await costOf({ cost, costTopK }, file);
      const problem = await readProblem(file, dead, costFile);
      if (costFile && "expertLoad" in problem) warnBeyond(problem as ReplicaProblem, costFile);
      const solution = await solveLoadBalanceLP(problem, { ...options, signal: interrupted }).catch(
        withOptionsOfThisCommand,
      );
      if (json) await writeLines(jsonLines(inRows(solution)), interrupted);
      else console.log(inWords(solution, problem, costFile, options.slack ?? 0));
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
  if (error instanceof ArgumentError) error.message = error.message.replace(/^slack:/, "--slack:");
  throw error;
}

function inWords(
  solution: ReplicaSolution | EdgeSolution,
  problem: LoadBalanceProblem,
  cost: CostFile | undefined,
  slack: number,
): string {
  const { batch, status, maxLoad, lowerBound, bottleneck, backend, adapter, reason } = solution;
  const timed = "maxTime" in solution ? (solution as TimedSolution) : undefined;
  const sent = "traffic" in solution ? sentBy(problem as ReplicaProblem, solution as ReplicaSolution) : undefined;
  const figures: [string, Float64Array][] = timed
    ? Object.entries({ "max time": timed.maxTime, "time bound": timed.timeBound, "max load": maxLoad })
    : Object.entries({ "max load": maxLoad, "lower bound": lowerBound, ...sent?.figures });
  const columns = [...figures.map(([name]) => name), ...(sent ? placeColumns : [])];
  const lps = Array.from({ length: Math.min(batch, SHOWN) }, (_, lp) => [
    `${lp}`,
    ...figures.map(([, values]) => `${Number(values[lp].toPrecision(10))}`),
    ...(sent?.shares(lp) ?? []),
    status[lp],
    bottleneck[lp].join(" "),
  ]);
  const table = plainTable([["LP", ...columns, "status", "bottleneck GPUs"], ...lps]);
  const notes = [`Solved by ${adapter ? adapter.name : `the ${backend.toUpperCase()}`}: ${reason}`];
  if (timed) notes.unshift(`Times are in ${unitOf(cost)}.`);
  if (sent) notes.unshift(...trafficInWords(slack));
  if (batch > SHOWN) notes.unshift(`The first ${SHOWN} of ${batch} LPs.`);
  if ("lost" in solution && solution.lost.length > 0) {
    notes.push(`Experts without a slot on a living GPU, whose tokens are not served: ${ranges(solution.lost)}.`);
  }
  return [table, paragraph(...notes, "The split of the tokens is in --json.")].join("\n\n");
}

/** Traffic and where the assignments go, LP by LP. */
function sentBy(problem: ReplicaProblem, { batch, traffic, trafficBound, sourceQuota }: ReplicaSolution) {
  const { gpus, gpuOf } = problem.placement as Placement; // as readProblem makes it
  const distance = checkDistance(problem, gpus)!;
  const perLp = sourceQuota!.length / batch;
  return {
    figures: { traffic: traffic!, "traffic bound": trafficBound! },
    shares: (lp: number) => placeCells(placesOf(distance, gpuOf, sourceQuota!.subarray(lp * perLp, (lp + 1) * perLp))),
  };
}

function trafficInWords(slack: number): string[] {
  const limit = slack === 0 ? "as much load" : `load up to ${Number((1 + slack).toPrecision(10))} times the least`;
  const more = slack === 0 ? [] : ["The status speaks of the load, which is a gap where it is not the least."];
  return [`Traffic is the sum of distance x assignments; no split of ${limit} has less than the bound.`, ...more];
}
