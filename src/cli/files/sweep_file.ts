import packageJson from "../../../package.json" with { type: "json" };
import { ArgumentError } from "../../common/errors.ts";
import type { BreakingRate } from "../../serving/sweep/breaking_rates.ts";
import { labelsOf, type ScenarioLabel } from "../../serving/sweep/scenarios.ts";
import { gridSettings, type SweepGrid } from "../../serving/sweep/sweep_grid.ts";
import type { SweptScenario, SweptSpread } from "../../serving/sweep/swept.ts";
import { type Configuration, configurationsOf, isOfShard, type SweepPart, WHOLE } from "../reports/sweep_part.ts";
import type { Shard, SweepSetting } from "../reports/sweep_setting.ts";
import { fieldsFound } from "./fields.ts";

type Fields = Readonly<Record<string, unknown>>;

/**
 * What `sweep --json` or `--out` has written, a part or all of a sweep: each scenario that it should have, in the order of the grid. JSON knows no number that is not
 * finite: null is read as NaN.
 *
 * @param source  what to call it in messages.
 * @throws {ArgumentError} It is something else, or of another version; the field is named.
 */
export function sweepPartOf(source: string, json: unknown): SweepPart {
  if (!isObject(json) || !("grid" in json) || !("scenarios" in json))
    throw new ArgumentError(source, "what evenkeel sweep writes with --json or --out", json, fieldsFound(json));
  const setting = settingOf(source, json);
  const shard = json.shard === undefined ? undefined : shardOf(`${source}: shard`, json.shard);
  const { grid } = setting;
  const ofShard = <T>(all: readonly T[]) =>
    [...all.entries()].filter(([place]) => isOfShard(place, shard ?? WHOLE)) as [number, T][];
  const labels = ofShard(labelsOf(gridSettings(grid)));
  const rows = listOf(`${source}: scenarios`, json.scenarios, labels.length);
  const hasSlo = grid.slo !== undefined;
  const scenarios = labels.map(([index, label], k) =>
    scenarioOf(`${source}: scenarios[${k}]`, rows[k], { index, ...label }, hasSlo),
  );
  return { ...setting, shard, scenarios, breaking: breakingOf(source, json.breaking, setting, ofShard) };
}

/** All of a sweep as who reads it from its JSON has it, so that both print the same. */
export const wholeSweepOf = (part: SweepPart): SweepPart => sweepPartOf("the sweep", JSON.parse(JSON.stringify(part)));

function settingOf(source: string, json: Fields): SweepSetting {
  const { version, requests, recorded, sha256, classes, stepTimeFrom, attainment, breakingRates } = json;
  if (version !== packageJson.version)
    throw new ArgumentError(`${source}: version`, `"${packageJson.version}", as this evenkeel is`, version);
  return {
    version,
    source: textOf(`${source}: source`, json.source),
    requests: countOf(`${source}: requests`, requests),
    recorded: countOf(`${source}: recorded`, recorded),
    sha256: textOf(`${source}: sha256`, sha256),
    classes: classes === undefined ? undefined : countsOf(`${source}: classes`, classes),
    stepTimeFrom: stepTimeFrom === undefined ? undefined : textOf(`${source}: stepTimeFrom`, stepTimeFrom),
    grid: gridOf(source, json.grid),
    attainment: attainment === undefined ? undefined : numberOf(`${source}: attainment`, attainment),
    breakingRates: breakingRates === true,
  };
}

/** @throws {ArgumentError} The library would not take it. */
function gridOf(source: string, json: unknown): SweepGrid {
  try {
    gridSettings(json as SweepGrid);
  } catch (error) {
    if (error instanceof ArgumentError) error.message = `${source}: grid: ${error.message}`;
    throw error;
  }
  return json as SweepGrid;
}

function shardOf(name: string, json: unknown): Shard {
  if (!isObject(json)) throw new ArgumentError(name, "{ index, count }", json);
  const { index, count } = json;
  if (isWhole(count) && count >= 1 && isWhole(index) && index < count) return { index, count };
  throw new ArgumentError(name, "an index from 0 to count - 1", `${JSON.stringify(index)} of ${JSON.stringify(count)}`);
}

type Figure = {
  [Name in keyof SweptScenario]-?: SweptScenario[Name] extends number ? Name : never;
}[keyof SweptScenario];
const spreads = ["mean", "p50", "p90", "p95", "p99"] as const satisfies (keyof SweptSpread)[];
const before = [
  ...(["requests", "completed", "rejected", "makespan", "steps", "evictions", "wastedTokens", "wait"] as const),
] satisfies Figure[];
const after = ["latency", "requestThroughput", "tokenThroughput", "workerThroughput"] as const satisfies Figure[];
const ofSlo = ["goodput", "attainment"] as const;
const last = ["energy", "energyPerToken"] as const satisfies Figure[];

function scenarioOf(
  name: string,
  json: unknown,
  label: ScenarioLabel & { index: number },
  hasSlo: boolean,
): SweptScenario {
  const row = labelled(name, json, label);
  const figures = <Name extends string>(names: readonly Name[]) =>
    Object.fromEntries(names.map((one) => [one, numberOf(`${name}.${one}`, row[one])])) as Record<Name, number>;
  const spread = (of: "ttft" | "tpot"): SweptSpread => {
    const given = row[of];
    if (!isObject(given)) throw new ArgumentError(`${name}.${of}`, `{ ${spreads.join(", ")} }`, given);
    const each = spreads.map((one) => [one, numberOf(`${name}.${of}.${one}`, given[one])]);
    return Object.fromEntries(each) as unknown as SweptSpread;
  };
  return {
    ...label,
    ...figures(before),
    ttft: spread("ttft"),
    tpot: spread("tpot"),
    ...figures(after),
    ...(hasSlo && figures(ofSlo)),
    ...figures(last),
  };
}

function breakingOf(
  source: string,
  json: unknown,
  { grid, breakingRates }: SweepSetting,
  ofShard: (all: readonly Configuration[]) => [number, Configuration][],
): BreakingRate[] | undefined {
  if (!breakingRates) return undefined;
  const expected = ofShard(configurationsOf(grid));
  const rows = listOf(`${source}: breaking`, json, expected.length);
  return expected.map(([, configuration], k) => {
    const name = `${source}: breaking[${k}]`;
    const row = labelled(name, rows[k], configuration);
    const [holds, breaks, attainment] = (["holds", "breaks", "attainment"] as const).map((field) =>
      numberOf(`${name}.${field}`, row[field]),
    );
    return { ...configuration, holds, breaks, attainment };
  });
}

/** @throws {ArgumentError} It is no object that says the same of which one it is. */
function labelled(name: string, json: unknown, label: object): Fields {
  if (!isObject(json)) throw new ArgumentError(name, "an object", json);
  for (const [field, value] of Object.entries(label))
    if (json[field] !== value)
      throw new ArgumentError(`${name}.${field}`, `${JSON.stringify(value)}, as the grid has it`, json[field]);
  return json;
}

function listOf(name: string, json: unknown, length?: number): readonly unknown[] {
  if (Array.isArray(json) && (length === undefined || json.length === length)) return json;
  throw new ArgumentError(name, length === undefined ? "an array" : `an array of ${length}`, json);
}

function numberOf(name: string, json: unknown): number {
  if (json === null) return Number.NaN;
  if (typeof json === "number") return json;
  throw new ArgumentError(name, "a number, or null where there is none", json);
}

function countOf(name: string, json: unknown): number {
  if (isWhole(json) && json >= 1) return json;
  throw new ArgumentError(name, "an integer from 1 on", json);
}

const countsOf = (name: string, json: unknown): number[] =>
  listOf(name, json).map((one, k) => countOf(`${name}[${k}]`, one));

function textOf(name: string, json: unknown): string {
  if (typeof json === "string") return json;
  throw new ArgumentError(name, "a text", json);
}

const isWhole = (json: unknown): json is number => typeof json === "number" && Number.isInteger(json) && json >= 0;

function isObject(json: unknown): json is Fields {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
