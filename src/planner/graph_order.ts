import { Placement } from "../placement/placement.ts";
import type { RedundantToOriginal } from "../placement/topologies.ts";

/**
 * A placement on LPLB's replica graph with its slots in LPLB's order: each GPU's own experts first, then the copies as r2o has them.
 *
 * Experts that sit on the same GPUs are alike to the graph, so each takes any role that the graph has on those GPUs.
 */
export function inGraphOrder(placement: Placement, r2o: RedundantToOriginal): Placement {
  const { gpus, logicalExperts, physicalExperts } = placement;
  const redundantsPerRank = (physicalExperts - logicalExperts) / gpus;
  const roles = Placement.fromRedundantToOriginal(r2o, { logicalExperts, epSize: gpus, redundantsPerRank });
  const alike = new Map<string, number[]>();
  for (let e = 0; e < logicalExperts; e++) {
    const hosts = hostsOf(placement, e);
    alike.set(hosts, [...(alike.get(hosts) ?? []), e]);
  }
  const expertOf = Array.from({ length: logicalExperts }, (_, role) => alike.get(hostsOf(roles, role))!.pop()!);
  const map = roles.physicalToLogical.map((role) => expertOf[role]);
  return Placement.fromPhysicalToLogical(map, { gpus });
}

function hostsOf({ logicalToPhysical, maxReplicas, replicaCount, gpuOf }: Placement, expert: number): string {
  const first = expert * maxReplicas;
  return Array.from(logicalToPhysical.subarray(first, first + replicaCount[expert]), (slot) => gpuOf[slot]).join();
}
