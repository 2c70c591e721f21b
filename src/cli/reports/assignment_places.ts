import { type Distance, OTHER_NODE, OWN_GPU, OWN_NODE } from "../../placement/distance.ts";

/** Assignments by where they go from their sources. */
export interface Places {
  ownGpu: number;
  ownNode: number;
  otherNodes: number;
}

/** What of quotas by source, [S, P], is where. */
export function placesOf(
  { sources, gpus, place }: Distance,
  gpuOf: ArrayLike<number>,
  sourceQuota: Int32Array,
): Places {
  const at = [0, 0, 0];
  for (let s = 0; s < sources; s++) {
    for (let p = 0; p < gpuOf.length; p++) at[place[s * gpus + gpuOf[p]]] += sourceQuota[s * gpuOf.length + p];
  }
  return { ownGpu: at[OWN_GPU], ownNode: at[OWN_NODE], otherNodes: at[OTHER_NODE] };
}

export const totalOf = ({ ownGpu, ownNode, otherNodes }: Places) => ownGpu + ownNode + otherNodes;
