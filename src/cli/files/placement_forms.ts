/** The forms in which placements lie in files, brought to what `placementsFromJSON` takes. */
import { parse as parseYaml } from "yaml";
import { ArgumentError } from "../../common/errors.ts";
import { layersOfConfig } from "../../placement/trtllm.ts";
import { readAscendMap } from "./ascend_file.ts";
import { type Content, jsonOf, textOf } from "./content.ts";
import { fieldsFound } from "./fields.ts";
import type { Fields } from "./physical_slots.ts";

export interface PlacementForm {
  record: Fields;
  /**
   * What its layers are: those with the numbers listed; MoE layers in order; rows, with dense layers or without; or one row for all.
   */
  layers: readonly number[] | "moe" | "rows" | "all";
  /** What the maps in `record` are called in the file, where that is another name. */
  mapName?: string;
}

/** From JSON or, where it begins like none or is called so, YAML. @throws {ArgumentError} It is neither, or holds no placement. */
export function placementForm(content: Content): PlacementForm {
  const json = parsed(content);
  if (Array.isArray(json)) {
    const nested = Array.isArray(json[0]);
    const record = { physical_to_logical_map: nested ? json : [json] };
    return { record, layers: nested ? "rows" : "all", mapName: nested ? "layers" : "slots" };
  }
  if (typeof json !== "object" || json === null) {
    throw new ArgumentError(content.name, "a placement, in JSON or YAML", json);
  }
  const record = json as Fields;
  if (record.layer_list !== undefined) {
    const { gpus, rows } = readAscendMap(record);
    return { record: { gpus, physical_to_logical_map: rows }, layers: "moe", mapName: "layer_list" };
  }
  const numbers = layersOfConfig(record);
  if (numbers) return { record, layers: numbers };
  if (!Object.keys(record).some((name) => mapFields.test(name))) {
    const expected = "a placement of SGLang, vLLM, vllm-ascend, EPLB, LPLB or TensorRT-LLM";
    throw new ArgumentError(content.name, expected, json, fieldsFound(json));
  }
  return { record, layers: "rows" };
}

/** Of all systems whose maps have rows. */
export const mapFields =
  /^(physical_to_logical_map|logical_to_(all_)?physical_map|phy2log|log2phy|r2o|globalSlotIds|expertReplica)/;

function parsed(content: Content): unknown {
  const { name } = content;
  const text = textOf(content);
  if (/^\s*[[{]/.test(text) && !/\.ya?ml(\.gz)?$/i.test(name)) return jsonOf(content);
  try {
    return parseYaml(text, { logLevel: "error" }); // a warning would be a line of its own
  } catch (cause) {
    const reason = (cause as Error).message.split("\n")[0].replaceAll(/[^ -~]+/g, " ");
    throw new ArgumentError(name, "JSON or YAML, plain or in gzip", `${content.bytes.length} bytes`, reason);
  }
}
