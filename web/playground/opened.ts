/** What is in a file that was opened, in any form that the command line reads, and the state that shows it. */
import { type Content, jsonOf, textOf } from "../../src/cli/files/content.ts";
import { fieldsFound } from "../../src/cli/files/fields.ts";
import { parseLoads } from "../../src/cli/files/load_file.ts";
import { parseNumberedPlacements } from "../../src/cli/files/placement_file.ts";
import { mapFields, placementForm } from "../../src/cli/files/placement_forms.ts";
import { parseProblem } from "../../src/cli/files/problem_file.ts";
import { parseTopk } from "../../src/cli/files/topk_file.ts";
import { expertsOf, loadsOfIds } from "../../src/cli/reports/topk_survey.ts";
import { ArgumentError, ShapeError } from "../../src/common/errors.ts";
import { flat } from "../../src/common/numbers.ts";
import type { Placement, ReplicaProblem } from "../../src/index.ts";
import { adapted, MOST, type State } from "./state.ts";

export const kinds = ["placement", "loads", "ids", "problem"] as const;
export type Kind = (typeof kinds)[number];

export interface Recorded {
  name: string;
  steps: number;
  layers: number;
  experts: number;
  /** [steps, layers, E] */
  loads: ArrayLike<number>;
}

export interface Opened {
  kind: Kind;
  name: string;
  /** By the layers' numbers. */
  placements?: ReadonlyMap<number, Placement>;
  recorded?: Recorded;
  /** Of a problem. */
  speed?: number[];
  dead?: number[];
  warnings: string[];
}

/**
 * What the file is by its content.
 *
 * @param gpus  of a placement that does not say it itself; where that cannot be, fewer.
 * @throws {ArgumentError} It is nothing that the page knows, or damaged.
 */
export function openedByContent(content: Content, gpus: number): Opened {
  const kind = kindOf(content);
  for (let guess = gpus; ; guess--) {
    try {
      const opened = openedAs(kind, content, guess);
      if (guess === gpus) return opened;
      const warning = `${content.name} does not say for how many GPUs it is, and ${gpus} cannot be: ${guess} is a guess.`;
      return { ...opened, warnings: [warning, ...opened.warnings] };
    } catch (error) {
      const isOfOthers = error instanceof ShapeError && error.expected.startsWith("a multiple of gpus");
      if (!isOfOthers || guess === 1) throw error;
    }
  }
}

/** @param gpus  of a placement that does not say it itself.  @throws {ArgumentError} It is not of that kind. */
export function openedAs(kind: Kind, content: Content, gpus: number): Opened {
  const { name } = content;
  const base = { kind, name, warnings: [] };
  try {
    if (kind === "placement") return { ...base, ...placementsIn(content, gpus) };
    if (kind === "problem") return { ...base, ...problemIn(content) };
    if (kind === "loads") return { ...base, recorded: fitting({ ...parseLoads(content), name }) };
    const ids = parseTopk(content);
    return { ...base, recorded: fitting({ ...loadsOfIds(ids, expertsOf(ids, undefined)), name }) };
  } catch (error) {
    if (error instanceof ArgumentError) error.message = inWordsOfPage(error.message);
    throw error;
  }
}

/** Told by content.  @throws {ArgumentError} It is none of them. */
export function kindOf(content: Content): Kind {
  if (!/^\s*[[{]/.test(textOf(content)) || /\.ya?ml(\.gz)?$/i.test(content.name)) return "placement";
  const json = jsonOf(content);
  if (Array.isArray(json)) {
    const depth = depthOf(json);
    if (depth > 3) return "ids";
    return depth === 1 || (depth === 2 && holdsAllExperts(json)) ? "placement" : "loads";
  }
  const names = Object.keys(json as object);
  const has = (fields: readonly string[]) => names.some((name) => fields.includes(name));
  if (has(["expertLoad", "sourceLoad", "edges"])) return "problem";
  if (has(["topk_ids"])) return "ids";
  if (has(loadFields)) return "loads";
  if (has(["layer_list", "initial_global_assignments"]) || names.some((name) => mapFields.test(name)))
    return "placement";
  const expected = "a placement, loads of experts, top-k ids or a problem";
  throw new ArgumentError(content.name, expected, json, fieldsFound(json));
}

const loadFields = [
  ...["loads", "logical_count", "groups", "runs", "records"],
  ...["expert_load_window", "expert_load_pass", "global_physical_count", "physical_count"],
];

function depthOf(value: unknown): number {
  return Array.isArray(value) ? 1 + depthOf(value.find((part) => !Array.isArray(part) || part.length > 0)) : 0;
}

/** As the rows of a placement do, and loads never. */
function holdsAllExperts(rows: readonly unknown[]): boolean {
  return rows.every((row) => {
    const held = new Set(row as number[]);
    return [...held].every((e) => Number.isInteger(e) && e >= 0 && e < held.size);
  });
}

function placementsIn(content: Content, gpus: number) {
  const { gpus: said } = placementForm(content).record;
  const warnings: string[] = [];
  const shape = { gpus: typeof said === "number" ? said : gpus, experts: undefined };
  const placements = parseNumberedPlacements(content, shape, undefined, (one) => warnings.push(inWordsOfPage(one)));
  const [{ physicalExperts, logicalExperts }] = placements.values();
  if (physicalExperts > MOST.slots || logicalExperts > MOST.experts || shape.gpus > MOST.gpus) {
    const most = `at most ${MOST.gpus} GPUs, ${MOST.experts} experts and ${MOST.slots} slots, for this page`;
    throw new ArgumentError(content.name, most, `${shape.gpus}, ${logicalExperts} and ${physicalExperts}`);
  }
  return { placements, warnings };
}

function fitting(recorded: Recorded): Recorded {
  if (recorded.experts <= MOST.experts) return recorded;
  throw new ArgumentError(recorded.name, `at most ${MOST.experts} experts, for this page`, recorded.experts);
}

/** What the page can show of a problem. */
const shownFields = ["placement", "expertLoad", "speed", "active", "cost"];

function problemIn(content: Content) {
  const problem = parseProblem(content);
  const stray = Object.keys(problem).find((name) => !shownFields.includes(name));
  if (stray !== undefined) {
    throw new ArgumentError(
      content.name,
      `only ${shownFields.join(", ")}, for this page`,
      stray,
      "`evenkeel solve` takes the others.",
    );
  }
  const { placement, expertLoad, speed, active } = problem as ReplicaProblem & { placement: Placement };
  const experts = placement.logicalExperts;
  const { values } = flat("expertLoad", expertLoad ?? [], { E: experts });
  const recorded = {
    name: content.name,
    steps: Math.floor(values.length / experts),
    layers: 1,
    experts,
    loads: values,
  };
  if (recorded.steps === 0) throw new ArgumentError("expertLoad", `E = ${experts} loads`, values.length);
  return {
    placements: new Map([[0, placement]]),
    recorded: fitting(recorded),
    speed: speed && Array.from(speed),
    dead: active && Array.from(active).flatMap((alive, g) => (alive ? [] : [g])),
  };
}

/** The command line's messages say its options. */
function inWordsOfPage(message: string): string {
  return message
    .replace(/ For raw bytes, an id each, give --shape\.| Where experts are lost, give --\w+\./, "")
    .replace(/for --gpus (\d+)/, "for $1 GPUs")
    .replace("expected --gpus", "expected GPUs");
}

/** The state that shows a layer of a placement. */
export function withPlacement(
  state: State,
  name: string,
  { gpus, logicalExperts, physicalToLogical, slotsPerGpu }: Placement,
): State {
  const equal = slotsPerGpu.every((slots) => slots === slotsPerGpu[0]);
  return adapted({
    ...state,
    ...{ place: "file", gpus, experts: logicalExperts, placementFile: name },
    ...{ map: [...physicalToLogical], slots: equal ? [] : [...slotsPerGpu] },
    redundant: Math.max(0, physicalToLogical.length - logicalExperts),
  });
}

/** The state that shows a batch, of whole tokens; experts are placed by the mean of the layer's steps. */
export function withLoads(state: State, recorded: Recorded, layer: number, step: number): State {
  const { steps, experts } = recorded;
  const rows = Array.from({ length: steps }, (_, one) => rowOf(recorded, layer, one));
  const mean = (e: number) => Math.round((100 * rows.reduce((sum, row) => sum + row[e], 0)) / steps) / 100;
  const batch = rows[step].map(Math.round);
  const expected = Array.from({ length: experts }, (_, e) => mean(e));
  const kept = experts === state.experts || state.place === "topology" ? state : { ...state, place: "eplb" as const };
  const next = adapted({ ...kept, experts, loads: "file", loadsFile: nameOf(recorded, layer, step), batch, expected });
  if (next.experts === experts) return next;
  // LPLB's graphs want equally many experts on each of their ranks.
  return adapted({
    ...next,
    place: "eplb",
    experts,
    loads: "file",
    loadsFile: nameOf(recorded, layer, step),
    batch,
    expected,
  });
}

function nameOf({ name, steps, layers }: Recorded, layer: number, step: number): string {
  return `${name}${layers > 1 ? `, layer ${layer}` : ""}${steps > 1 ? `, step ${step}` : ""}`;
}

/** [steps, E] of a layer, for the planner. */
export function historyOf(recorded: Recorded, layer: number): Float64Array {
  return Float64Array.from(Array.from({ length: recorded.steps }, (_, step) => rowOf(recorded, layer, step)).flat());
}

function rowOf({ layers, experts, loads }: Recorded, layer: number, step: number): number[] {
  const first = (step * layers + layer) * experts;
  return Array.from({ length: experts }, (_, e) => loads[first + e]);
}
