/** What the command line reads: its files, "-" for standard input, each parsed by who knows its form. Each throws if the file cannot be read, too. */
import type { LoadBalanceProblem } from "../../lp/problem.ts";
import type { Placement } from "../../placement/placement.ts";
import type { StepTime } from "../../serving/step_time.ts";
import { warn } from "../print/warning.ts";
import { type CostFile, parseCost } from "./cost_file.ts";
import { readContent } from "./json_file.ts";
import { type LoadHistory, parseLoads } from "./load_file.ts";
import {
  type PlacementContent,
  type PlacementShape,
  parseNumberedPlacements,
  parsePlacements,
} from "./placement_file.ts";
import { parseProblem } from "./problem_file.ts";
import { gpusBeside } from "./sidecar.ts";
import { parseStepTime } from "./step_time_file.ts";
import { parseRawTopk, parseTopk, parseTopkNotLoads, type RawShape, type TopkHistory } from "./topk_file.ts";

export async function readLoads(file: string): Promise<LoadHistory> {
  return parseLoads(await readContent(file));
}

export async function readTopk(file: string): Promise<TopkHistory> {
  return parseTopk(await readContent(file));
}

export async function readRawTopk(file: string, shape: RawShape): Promise<TopkHistory> {
  return parseRawTopk(await readContent(file), shape);
}

export async function readTopkNotLoads(file: string, shape: RawShape | undefined): Promise<TopkHistory> {
  return parseTopkNotLoads(await readContent(file), shape);
}

export async function readPlacements(file: string, shape: PlacementShape): Promise<Placement[]> {
  return parsePlacements(await placementContent(file), shape, warn);
}

export async function readNumberedPlacements(
  file: string,
  shape: Pick<PlacementShape, "gpus" | "experts">,
  wanted?: readonly number[],
): Promise<Map<number, Placement>> {
  return parseNumberedPlacements(await placementContent(file), shape, wanted, warn);
}

async function placementContent(file: string): Promise<PlacementContent> {
  const content = await readContent(file);
  return { ...content, beside: gpusBeside(file, content.bytes) };
}

export async function readProblem(
  file: string,
  dead?: readonly number[],
  cost?: CostFile,
): Promise<LoadBalanceProblem> {
  return parseProblem(await readContent(file), dead, cost);
}

export async function readCost(file: string, topK?: number): Promise<CostFile> {
  return parseCost(await readContent(file), topK);
}

export async function readStepTime(file: string): Promise<StepTime> {
  return parseStepTime(await readContent(file));
}
