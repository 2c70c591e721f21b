import { Command } from "commander";
import { ArgumentError } from "../../common/errors.ts";
import { type Certificate, certify } from "../../lp/certify.ts";
import type { LoadBalanceProblem } from "../../lp/problem.ts";
import { type CostOptions, costOf, costOption, costTopKOption } from "../cost_options.ts";
import { nameOf, readJson } from "../files/json_file.ts";
import { elements, jsonLines, writeLines } from "../files/json_lines.ts";
import { requireOneStandardInput } from "../files/one_standard_input.ts";
import { problemArgument } from "../files/problem_file.ts";
import { readProblem } from "../files/read_files.ts";
import { asSolution } from "../files/solution_file.ts";
import { deadOption } from "../gpu_list.ts";
import { interrupted } from "../interruption.ts";
import { plainTable } from "../print/plain_table.ts";
import { count, paragraph, plural } from "../print/words.ts";

/** LPs that the summary shows. */
const SHOWN = 20;

type Options = CostOptions & {
  dead?: number[];
  json?: boolean;
};

export function certifyCommand(): Command {
  return new Command("certify")
    .description("check solutions of load-balancing LPs by their proofs, without solving anything")
    .argument("<problem>", problemArgument)
    .argument("<solution>", "what `evenkeel solve PROBLEM --json` wrote, JSON or .json.gz, - for standard input")
    .addOption(deadOption())
    .addOption(costOption())
    .addOption(costTopKOption())
    .option("--json", "print the certificate of each LP as JSON")
    .addHelpText(
      "after",
      "\nExit code: 0 if every LP is valid, 1 if one is not, 2 for what is no solution of the problem.",
    )
    .action(async (problemFile: string, solutionFile: string, { dead, json, ...cost }: Options) => {
      requireOneStandardInput({ "the problem": problemFile, solution: solutionFile });
      const problem = await readProblem(problemFile, dead, await costOf(cost, problemFile, solutionFile));
      const { certificates, timeGap } = check(problem, solutionFile, await readJson(solutionFile));
      if (certificates.some(({ valid }) => !valid)) process.exitCode = 1;
      if (json) await writeLines(jsonLines(inJson(certificates)), interrupted);
      else console.log(inWords(certificates, timeGap));
    });
}

interface Checked {
  certificates: Certificate[];
  /** [B] where there is a cost: as claimed. */
  timeGap?: ArrayLike<number>;
}

function check(problem: LoadBalanceProblem, file: string, json: unknown): Checked {
  try {
    const solution = asSolution(problem, json);
    return { certificates: certify(problem, solution), timeGap: solution.timeGap };
  } catch (error) {
    // Of two files on a command line, the message has to say which.
    if (error instanceof ArgumentError && /^solution\b/.test(error.message)) {
      error.message = `${nameOf(file)}: ${error.message.replace(/^solution\.?:? ?/, "")}`;
    }
    throw error;
  }
}

/** The claims of a certificate, as columns where they are made. */
const claims = {
  conserved: "conserved",
  withinCapacity: "within capacity",
  loadsTrue: "loads true",
  boundValid: "bound valid",
  timeTrue: "times true",
  timeBoundValid: "time bound valid",
  trafficTrue: "traffic true",
  trafficBoundValid: "traffic bound valid",
} as const;

function counts(certificates: readonly Certificate[]) {
  const of = (wanted: Certificate["verdict"]) => certificates.filter(({ verdict }) => verdict === wanted).length;
  return { optimal: of("optimal"), gap: of("gap"), invalid: of("invalid") };
}

function inJson(certificates: readonly Certificate[]): Record<string, unknown> {
  const batch = certificates.length;
  return { batch, ...counts(certificates), certificates: elements(certificates, batch) };
}

function inWords(certificates: readonly Certificate[], timeGap: ArrayLike<number> | undefined): string {
  const { optimal, gap, invalid } = counts(certificates);
  const lps = [...certificates.keys()].filter((lp) => invalid === 0 || !certificates[lp].valid);
  const timed = certificates[0].timeTrue !== undefined;
  const made = (Object.keys(claims) as (keyof typeof claims)[]).filter((claim) => certificates[0][claim] !== undefined);
  const table = plainTable([
    ["LP", ...made.map((claim) => claims[claim]), timed ? "time gap" : "gap", "verdict"],
    ...lps.slice(0, SHOWN).map((lp) => {
      const certificate = certificates[lp];
      const proven = timed ? (certificate.valid ? timeGap![lp] : "-") : certificate.gap;
      return [`${lp}`, ...made.map((claim) => (certificate[claim] ? "yes" : "NO")), `${proven}`, certificate.verdict];
    }),
  ]);
  const notes = [
    `${plural(certificates.length, "LP")}: ${count(optimal)} proven optimal, ${count(gap)} with a certified gap, ${count(invalid)} invalid.`,
  ];
  if (lps.length > SHOWN) notes.push(`Shown are the first ${SHOWN}${invalid > 0 ? " that are invalid" : ""}.`);
  else if (invalid > 0) notes.push("Shown are those that are invalid.");
  if (invalid > 0) {
    notes.push(
      `Where all ${made.length === 4 ? "four" : "six"} hold and it is invalid still, its status or its gap is false.`,
    );
  }
  return [table, paragraph(...notes)].join("\n\n");
}
