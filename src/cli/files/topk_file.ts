import { ArgumentError, LoadError, ShapeError } from "../../common/errors.ts";
import { MAX_TOKENS } from "../../common/numbers.ts";
import { type Content, jsonOf } from "./content.ts";
import { fieldsFound } from "./fields.ts";
import { byPass, expertsOfIds, type Fields, readSlotMap } from "./physical_slots.ts";

/** What the router chose over time. */
export interface TopkHistory {
  source: string;
  steps: number;
  layers: number;
  /** k */
  topK: number;
  /** The most tokens of a step. */
  maxTokens: number;
  largestId: number;
  /** E, where the recording says it. */
  experts?: number;
  /** [L, T, k] expert ids of a step, -1 where there is none. T may differ from step to step. */
  idsOf(step: number): Int32Array;
  /** How many of a step's tokens, one after another, are of each rank, where the recording says it. */
  tokensOfRanks?(step: number): readonly number[];
}

/** The axes of a file of raw ids, the outermost first. */
export type RawShape = readonly { axis: RawAxis; size: number }[];
const rawAxes = ["steps", "layers", "tokens", "k"] as const;
type RawAxis = (typeof rawAxes)[number];

/** Reads "tokens=292,steps=511,layers=24,k=4".  @throws {ArgumentError} It is not like that. */
export function parseShape(text: string): RawShape {
  const shape = text.split(",").map((part) => {
    const [, axis, size] = /^(\w+)=([1-9]\d{0,8})$/.exec(part.trim()) ?? [];
    if (rawAxes.includes(axis as RawAxis)) return { axis: axis as RawAxis, size: Number(size) };
    throw new ArgumentError("--shape", "axes with sizes, as in steps=511,layers=24,tokens=292,k=4", text);
  });
  const times = (axis: RawAxis) => shape.filter((one) => one.axis === axis).length;
  const wrong = rawAxes.find((axis) => times(axis) > 1 || (times(axis) === 0 && axis !== "steps"));
  if (wrong !== undefined) throw new ArgumentError("--shape", `${wrong} once`, text);
  return shape;
}

/**
 * Raw ids, a byte each, row-major with the axes of `shape`. Without steps it is one step.
 *
 * @throws {ShapeError} There is another number of bytes.
 */
export function parseRawTopk({ name, bytes }: Content, shape: RawShape): TopkHistory {
  const size: Record<RawAxis, number> = { steps: 1, layers: 1, tokens: 1, k: 1 };
  const stride: Record<RawAxis, number> = { steps: 0, layers: 0, tokens: 0, k: 0 };
  let ids = 1;
  for (const one of [...shape].reverse()) {
    size[one.axis] = one.size;
    stride[one.axis] = ids;
    ids *= one.size;
  }
  if (bytes.length !== ids) {
    const product = shape.map((one) => one.size).join(" x ");
    throw new ShapeError(name, `${product} = ${ids} bytes, an id each`, bytes.length);
  }
  const { steps, layers, tokens, k } = size;
  const idsOf = (step: number) => {
    const chosen = new Int32Array(layers * tokens * k);
    let filled = 0;
    for (let layer = 0; layer < layers; layer++) {
      for (let token = 0; token < tokens; token++) {
        const first = step * stride.steps + layer * stride.layers + token * stride.tokens;
        for (let rank = 0; rank < k; rank++) chosen[filled++] = bytes[first + rank * stride.k];
      }
    }
    return chosen;
  };
  const largestId = bytes.reduce((a, b) => Math.max(a, b), 0);
  return { source: name, steps, layers, topK: k, maxTokens: tokens, largestId, idsOf };
}

/**
 * Ids from JSON. Taken are [steps][layers][T][k], or [layers][T][k] for a single step, and
 * `{ topk_ids }` with either; -1 is no expert. Steps may differ in their tokens T, of which they may have none. And what SGLang records of each
 * token, `{ records: [{ topk_ids_of_layer }], last_physical_to_logical_map }`, whose ids are of physical slots.
 *
 * @param taken.single  take a single step, too, without an axis of its own.
 * @throws {ArgumentError} It is none of these.  @throws {ShapeError} It is empty or ragged.
 * @throws {LoadError} An id is not an integer >= -1, or there are no tokens at all.
 */
export function parseTopk(content: Content, { single = true } = {}): TopkHistory {
  const source = content.name;
  const json = jsonOf(content, "For raw bytes, an id each, give --shape.") as Fields | null;
  if (json?.records !== undefined) {
    const { steps, experts, ofRanks } = recordedSteps(source, json);
    return { ...historyOf(source, steps), experts, tokensOfRanks: (step) => ofRanks[step] };
  }
  const name = `${source}: topk_ids`;
  const ids = Array.isArray(json) ? json : json?.topk_ids;
  const expected = `an array [steps][layers][T][k]${single ? " or [layers][T][k]" : ""} of ids`;
  if (!Array.isArray(ids)) throw new ArgumentError(name, expected, ids, fieldsFound(json));
  const whole = list(name, ids, "of ids");
  const depth = depthOf(whole);
  if (depth === undefined) throw new LoadError(source, "at least one step with tokens", 0);
  const several = depth > 3;
  if (!several && !single) throw new ArgumentError(name, expected, ids);
  const parts = several ? whole.map((value, i) => ({ name: `${name}[${i}]`, value })) : [{ name, value: whole }];
  return historyOf(
    source,
    parts.map((part) => ({ name: part.name, ...parseStep(part.name, part.value) })),
  );
}

/**
 * Ids where others take loads: as `parseRawTopk` with a shape, else as `parseTopk`, but no [layers][T][k], which look like loads.
 *
 * @throws what these throw, and {ArgumentError} There are loads of experts, which nobody's tokens make.
 */
export function parseTopkNotLoads(content: Content, shape: RawShape | undefined): TopkHistory {
  if (shape) return parseRawTopk(content, shape);
  try {
    return parseTopk(content, { single: false });
  } catch (error) {
    if (error instanceof ArgumentError) error.message += " Loads of experts do not say whose tokens they are.";
    throw error;
  }
}

/** Of all ranks of a pass the tokens one after another, and of k, which SGLang pads, the columns that are used. */
function recordedSteps(
  file: string,
  json: Fields,
): { steps: NamedStep[]; experts: number; ofRanks: readonly number[][] } {
  const map = readSlotMap(file, json);
  if (!map) {
    const expected = "last_physical_to_logical_map, for SGLang records the ids of physical slots";
    throw new ArgumentError(file, expected, "none", fieldsFound(json));
  }
  const passes = byPass(file, json.records).map((pass) =>
    pass
      .toSorted((a, b) => rankOf(a) - rankOf(b))
      .map(({ name, record }) => {
        const path = `${name}.topk_ids_of_layer`;
        if (record.topk_ids_of_layer === undefined) {
          const remedy = `${fieldsFound(record)} Record with --expert-distribution-recorder-mode per_token.`;
          throw new ArgumentError(name, "topk_ids_of_layer", "none", remedy);
        }
        const step = parseStep(path, record.topk_ids_of_layer);
        expertsOfIds(path, step.ids, step.layers, map);
        return { name: path, ...step };
      }),
  );
  const used = passes.flat().reduce((most, { ids, topK = 1 }) => {
    for (let i = 0; i < ids.length; i++) if (ids[i] >= 0) most = Math.max(most, (i % topK) + 1);
    return most;
  }, 0);
  return {
    steps: passes.map((pass) => ({ name: pass[0].name, ...joined(pass, used) })),
    experts: map.experts,
    ofRanks: passes.map((pass) => pass.map(({ ids, layers, topK = 1 }) => ids.length / (layers * topK))),
  };
}

/** Where a record does not say it, those of a pass are in order. */
const rankOf = ({ record }: { record: Fields }) => (typeof record.rank === "number" ? record.rank : 0);

function joined(pass: readonly NamedStep[], topK: number): Step {
  const [{ layers }] = pass;
  const other = pass.find((step) => step.layers !== layers);
  if (other) throw new ShapeError(other.name, `${layers} layers as in the first record of the pass`, other.layers);
  const ids: number[] = [];
  for (let layer = 0; layer < layers; layer++) {
    for (const step of pass) {
      const perLayer = step.ids.length / layers;
      for (let i = 0; i < perLayer; i++) if (i % step.topK! < topK) ids.push(step.ids[layer * perLayer + i]);
    }
  }
  return { layers, topK: ids.length === 0 ? undefined : topK, ids: Int32Array.from(ids) };
}

function historyOf(source: string, steps: readonly NamedStep[]): TopkHistory {
  const [{ layers }] = steps;
  const topK = steps.find((step) => step.topK !== undefined)?.topK;
  if (topK === undefined) throw new LoadError(source, "at least one step with tokens", 0);
  for (const step of steps) {
    if (step.layers !== layers) throw new ShapeError(step.name, `${layers} layers as in the first step`, step.layers);
    if (step.topK !== undefined && step.topK !== topK)
      throw new ShapeError(step.name, `k = ${topK} as in the first step with tokens`, step.topK);
  }
  return {
    source,
    steps: steps.length,
    layers,
    topK,
    maxTokens: steps.reduce((most, { ids }) => Math.max(most, ids.length / (layers * topK)), 0),
    largestId: steps.reduce((most, { ids }) => ids.reduce((a, b) => Math.max(a, b), most), -1),
    idsOf: (step) => steps[step].ids,
  };
}

/** How many arrays the first value lies in; undefined for arrays without any, as of steps without tokens. */
function depthOf(value: unknown): number | undefined {
  if (!Array.isArray(value)) return 0;
  for (const part of value) {
    const depth = depthOf(part);
    if (depth !== undefined) return depth + 1;
  }
  return undefined;
}

interface Step {
  layers: number;
  /** Undefined where there are no tokens. */
  topK: number | undefined;
  ids: Int32Array;
}

interface NamedStep extends Step {
  /** What it is called in a message. */
  name: string;
}

/** [layers][T][k] */
export function parseStep(name: string, value: unknown): Step {
  const layers = list(name, value, "with the tokens of each layer").map((layer, i) => {
    return requireArray(`${name}[${i}]`, layer, "with the ids of each token");
  });
  const topK = layers[0].length === 0 ? undefined : list(`${name}[0][0]`, layers[0][0], "of ids").length;
  const ids: number[] = [];
  for (const [i, tokens] of layers.entries()) {
    if (tokens.length !== layers[0].length) {
      throw new ShapeError(`${name}[${i}]`, `${layers[0].length} tokens as in the first layer`, tokens.length);
    }
    for (const [t, token] of tokens.entries()) {
      const row = list(`${name}[${i}][${t}]`, token, "of ids");
      if (row.length !== topK)
        throw new ShapeError(`${name}[${i}][${t}]`, `k = ${topK} ids as for the first token`, row.length);
      for (const [rank, id] of row.entries()) {
        if (typeof id !== "number" || !Number.isInteger(id) || id < -1 || id > MAX_TOKENS) {
          throw new LoadError(`${name}[${i}][${t}][${rank}]`, "an expert id, an integer >= 0, or -1 for none", id);
        }
        ids.push(id);
      }
    }
  }
  return { layers: layers.length, topK, ids: Int32Array.from(ids) };
}

function list(name: string, value: unknown, what: string): unknown[] {
  const values = requireArray(name, value, what);
  if (values.length === 0) throw new ShapeError(name, `a non-empty array ${what}`, 0);
  return values;
}

function requireArray(name: string, value: unknown, what: string): unknown[] {
  if (!Array.isArray(value)) throw new ArgumentError(name, `an array ${what}`, value);
  return value;
}
