/** vllm-ascend's expert map (expert_map_path): the experts of each device, by MoE layer, dense layers not counted. */
import { ArgumentError, PlacementError, ShapeError } from "../../common/errors.ts";
import type { Placement } from "../../placement/placement.ts";
import { EMPTY } from "../../planner/arrangement.ts";
import type { Fields } from "./physical_slots.ts";

/** @throws {PlacementError} A GPU has an expert twice, of which vllm-ascend knows one slot only. */
export function ascendMap(placements: readonly Placement[]): object {
  const layers = placements.map(({ gpus, physicalToLogical, gpuOf }, layer) => {
    const devices = Array.from({ length: gpus }, (_, gpu) => {
      const experts = [...physicalToLogical].filter((_, slot) => gpuOf[slot] === gpu);
      if (experts.includes(EMPTY)) {
        throw new PlacementError(
          `placements[${layer}]`,
          `an expert in every slot of GPU ${gpu}, for vllm-ascend`,
          EMPTY,
        );
      }
      const twice = experts.find((expert, i) => experts.indexOf(expert) !== i);
      if (twice === undefined) return { device_id: gpu, device_expert: experts };
      throw new PlacementError(`placements[${layer}]`, `expert ${twice} once on GPU ${gpu}, for vllm-ascend`, "twice");
    });
    return { layer_id: layer, device_count: gpus, device_list: devices };
  });
  return { moe_layer_count: layers.length, layer_list: layers };
}

export interface AscendMap {
  gpus: number;
  /** [L][P] */
  rows: number[][];
}

/** @throws {ArgumentError} It is no such map: a layer, a device or an expert is missing or none. */
export function readAscendMap(record: Fields): AscendMap {
  const layers = requireList("layer_list", record.layer_list, "of layers") as Fields[];
  if (record.moe_layer_count === undefined)
    throw new ArgumentError("moe_layer_count", "the number of layers", undefined);
  if (record.moe_layer_count !== layers.length) {
    throw new ShapeError("layer_list", `moe_layer_count = ${record.moe_layer_count} layers`, layers.length);
  }
  const rows = layers.map((layer, i) => readLayer(`layer_list[${i}]`, layer, i));
  const [{ length: gpus }] = rows;
  const slots = rows[0][0].length;
  for (const [i, devices] of rows.entries()) {
    if (devices.length !== gpus) {
      throw new ShapeError(`layer_list[${i}].device_list`, `${gpus} devices as in the first layer`, devices.length);
    }
    const other = devices.findIndex((experts) => experts.length !== slots);
    if (other < 0) continue;
    const path = `layer_list[${i}].device_list[${other}].device_expert`;
    throw new ShapeError(path, `${slots} experts as on the first device`, devices[other].length);
  }
  return { gpus, rows: rows.map((devices) => devices.flat()) };
}

/** [devices][experts] */
function readLayer(name: string, layer: Fields, id: number): number[][] {
  if (typeof layer !== "object" || layer === null) throw new ArgumentError(name, "an object", layer);
  requireId(`${name}.layer_id`, layer.layer_id, id);
  const devices = requireList(`${name}.device_list`, layer.device_list, "of devices") as Fields[];
  if (layer.device_count !== devices.length) {
    throw new ShapeError(`${name}.device_list`, `device_count = ${layer.device_count} devices`, devices.length);
  }
  return devices.map((device, i) => {
    const path = `${name}.device_list[${i}]`;
    if (typeof device !== "object" || device === null) throw new ArgumentError(path, "an object", device);
    requireId(`${path}.device_id`, device.device_id, i);
    return requireList(`${path}.device_expert`, device.device_expert, "of experts").map((expert, slot) => {
      if (typeof expert === "number" && Number.isInteger(expert) && expert >= 0) return expert;
      throw new PlacementError(`${path}.device_expert[${slot}]`, "an expert id, an integer >= 0", expert);
    });
  });
}

/** The ids are read by nobody, but another order would mean another placement. */
function requireId(name: string, id: unknown, expected: number): void {
  if (id !== undefined && id !== expected) throw new PlacementError(name, `${expected}, in order`, id);
}

function requireList(name: string, value: unknown, what: string): unknown[] {
  if (Array.isArray(value) && value.length > 0) return value;
  throw new ArgumentError(name, `a non-empty array ${what}`, value);
}
