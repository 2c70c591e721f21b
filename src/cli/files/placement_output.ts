/** Placements as the systems read them from a file. */
import { ArgumentError } from "../../common/errors.ts";
import type { PlacementFormat } from "../../placement/conventions.ts";
import type { Placement } from "../../placement/placement.ts";
import { placementFormats, placementsToJSON } from "../../placement/placements_to_json.ts";
import type { LoadBalancerConfig } from "../../placement/trtllm.ts";
import { ascendMap } from "./ascend_file.ts";

export type FileFormat = PlacementFormat | "vllm-ascend";
export const fileFormats: readonly FileFormat[] = [...placementFormats, "vllm-ascend"];

/** Formats whose readers stop at keys that they do not know. */
export const refusesKeys: readonly FileFormat[] = ["sglang", "trtllm"];

/**
 * The content of a file. SGLang's rows are all layers of the model; TensorRT-LLM's are numbered like these, without the dense ones, and the others'
 * are the MoE layers alone.
 *
 * @param placements  one per layer of the model.  @param moeLayers  which of these have experts.
 */
export function placementFile(
  placements: readonly Placement[],
  moeLayers: readonly number[],
  format: FileFormat,
): string {
  const own = format === "sglang" ? [...placements.keys()] : [...moeLayers];
  try {
    return contentOf(
      own.map((layer) => placements[layer]),
      own,
      format,
    );
  } catch (error) {
    if (error instanceof ArgumentError) error.message = inLayersOfModel(error.message, own);
    throw error;
  }
}

/** @param layers  the numbers of the placements' layers. */
function contentOf(placements: readonly Placement[], layers: readonly number[], format: FileFormat): string {
  if (format === "vllm-ascend") return `${JSON.stringify(ascendMap(placements))}\n`;
  if (format === "trtllm") return yamlOf(placementsToJSON(placements, format), layers);
  const json = placementsToJSON(placements, format);
  return `${JSON.stringify(format === "sglang" ? json : { ...json, gpus: placements[0].gpus })}\n`;
}

/** The library counts the placements that it was given, the reader the layers of the model. */
function inLayersOfModel(message: string, layers: readonly number[]): string {
  return message
    .replace(/^placements\[(\d+)\]/, (_, i) => `the plan's layer ${layers[Number(i)]}`)
    .replace(/\.physicalToLogical\[(\d+)\]/, ", slot $1");
}

/** A line per layer, numbered as in the model: the configuration has nothing but integers. */
function yamlOf(
  { num_slots, initial_global_assignments, layer_updates_per_iter }: LoadBalancerConfig,
  layers: readonly number[],
): string {
  const rows = layers.map((layer, i) => `  ${layer}: [${initial_global_assignments[i].join(", ")}]\n`);
  return `num_slots: ${num_slots}\ninitial_global_assignments:\n${rows.join("")}layer_updates_per_iter: ${layer_updates_per_iter}\n`;
}
