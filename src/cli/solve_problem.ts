import { Command, Option } from "commander";
import { LoadError } from "../errors.ts";
import { tokenModes } from "../problem.ts";
import type { EdgeSolution, ReplicaSolution } from "../solution.ts";
import { solveLoadBalanceLP } from "../solve.ts";
import { backends, type SolveOptions, type SolverOptions } from "../solver.ts";
import { interrupted } from "./interruption.ts";
import { plainTable } from "./plain_table.ts";
import { readProblem } from "./problem_file.ts";
import { paragraph } from "./words.ts";

type Options = Pick<SolverOptions, "backend"> & Pick<SolveOptions, "tokens" | "level"> & { json?: boolean };

/** LPs that the summary shows. */
const SHOWN = 20;

export function solveCommand(): Command {
  return new Command("solve")
    .description("solve load-balancing LPs, with a proof for each")
    .argument(
      "<problem>",
      "JSON or .json.gz, - for standard input: { placement: { gpus, physicalToLogical }, expertLoad, baseLoad?, speed? } or " +
        "{ gpus, edges, load, capacity, speed? }",
    )
    .addOption(new Option("--backend <name>", "who solves").choices(backends).default("auto"))
    .addOption(new Option("--tokens <mode>", "whole tokens or fractions; whole if all loads are").choices(tokenModes))
    .option("--level", "level the GPUs below the bottleneck, too: the same loads on every backend")
    .option("--json", "print the solutions as JSON")
    .action(async (file: string, { json, ...options }: Options) => {
      const problem = await readProblem(file);
      const solution = await solveLoadBalanceLP(problem, { ...options, signal: interrupted }).catch(
        withOptionsOfThisCommand,
      );
      console.log(json ? JSON.stringify(inRows(solution)) : inWords(solution));
    });
}

/** Where the library's remedy is one of its options, it has another name here. */
function withOptionsOfThisCommand(error: unknown): never {
  if (error instanceof LoadError) error.message = error.message.replace('tokens: "fractional"', "--tokens fractional");
  throw error;
}

/** Arrays of B rows as such, so that the answer needs no shapes to be read. */
function inRows(solution: ReplicaSolution | EdgeSolution) {
  const { batch } = solution;
  const perBatch = (values: ArrayLike<number>) => {
    const columns = values.length / batch;
    return Array.from({ length: batch }, (_, lp) => Array.from(values).slice(lp * columns, (lp + 1) * columns));
  };
  return {
    ...solution,
    maxLoad: [...solution.maxLoad],
    lowerBound: [...solution.lowerBound],
    gap: [...solution.gap],
    iterations: [...solution.iterations],
    moves: [...solution.moves],
    gpuLoad: perBatch(solution.gpuLoad),
    price: perBatch(solution.price),
    ...("flow" in solution ? { flow: perBatch(solution.flow) } : { quota: perBatch(solution.quota) }),
  };
}

function inWords({
  batch,
  status,
  maxLoad,
  lowerBound,
  bottleneck,
  backend,
  adapter,
  reason,
}: ReplicaSolution | EdgeSolution): string {
  const lps = Array.from({ length: Math.min(batch, SHOWN) }, (_, lp) => [
    `${lp}`,
    `${Number(maxLoad[lp].toPrecision(10))}`,
    `${Number(lowerBound[lp].toPrecision(10))}`,
    status[lp],
    bottleneck[lp].join(" "),
  ]);
  const table = plainTable([["LP", "max load", "lower bound", "status", "bottleneck GPUs"], ...lps]);
  const notes = [`Solved by ${adapter ? adapter.name : `the ${backend.toUpperCase()}`}: ${reason}`];
  if (batch > SHOWN) notes.unshift(`The first ${SHOWN} of ${batch} LPs.`);
  return [table, paragraph(...notes, "The split of the tokens is in --json.")].join("\n\n");
}
