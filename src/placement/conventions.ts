/** Placements as vLLM, SGLang, EPLB, LPLB and TensorRT-LLM keep them: the maps of each, by its own names. */
import type { MapNames } from "./maps.ts";
import type { LoadBalancerConfig } from "./trtllm.ts";

/** What each system keeps of L layers, by its own names. X: the most slots of any expert; -1 is padding. */
export interface PlacementMaps {
  vllm: {
    /** [L][P] */
    physical_to_logical_map: number[][];
    /** [L][E][X]; vLLM itself pads wider, to its most redundant experts + 1. */
    logical_to_physical_map: number[][][];
    /** [L][E] */
    logical_replica_count: number[][];
  };
  /** A layer is a hidden layer: SGLang counts dense ones, too, and ignores what their row says. */
  sglang: {
    /** [L][P] */
    physical_to_logical_map: number[][];
    /** [L][E][X]; SGLang itself pads to P. */
    logical_to_all_physical_map: number[][][];
    /** [L][E] */
    logical_to_all_physical_map_num_valid: number[][];
  };
  eplb: {
    /** [L][P] */
    phy2log: number[][];
    /** [L][E][X] */
    log2phy: number[][][];
    /** [L][E] */
    logcnt: number[][];
  };
  lplb: {
    /** [ranks per group][D], the same for all layers. It does not say which experts the GPUs hold, so the map stands beside it. */
    r2o: number[][];
    /** [L][P]; LPLB calls it phy2log. */
    physical_to_logical_map: number[][];
  };
  /** MoePlacementInfo. TensorRT-LLM's configuration file has rows of phy2log instead: see `PlacementFiles`. */
  trtllm: {
    /** [L][E] */
    expertReplicaCount: number[][];
    /** [L][E] where the slots of each expert begin in globalSlotIds. */
    expertReplicaStartOffset: number[][];
    /** [L][P] */
    globalSlotIds: number[][];
  };
}

export type PlacementFormat = keyof PlacementMaps;

/** What the systems read: `PlacementMaps`, but for SGLang and TensorRT-LLM. */
export type PlacementFiles = Omit<PlacementMaps, "sglang" | "trtllm"> & {
  sglang: Pick<PlacementMaps["sglang"], "physical_to_logical_map">;
  trtllm: LoadBalancerConfig;
};

/** Of the systems whose maps are the same but for their names. */
export const mapNames = {
  vllm: {
    physicalToLogical: "physical_to_logical_map",
    logicalToPhysical: "logical_to_physical_map",
    replicaCount: "logical_replica_count",
  },
  sglang: {
    physicalToLogical: "physical_to_logical_map",
    logicalToPhysical: "logical_to_all_physical_map",
    replicaCount: "logical_to_all_physical_map_num_valid",
  },
  eplb: { physicalToLogical: "phy2log", logicalToPhysical: "log2phy", replicaCount: "logcnt" },
} satisfies Record<string, MapNames>;
