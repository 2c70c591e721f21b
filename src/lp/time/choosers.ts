import { adjacency, type Topology } from "../topology.ts";

/** A topology without the experts that have no choice: of these only what they add to their GPUs matters. */
export interface Choosers {
  /** Of the experts with several replicas alone. */
  readonly topology: Topology;
  /** The whole topology's number of each of its experts, */
  readonly expert: Int32Array;
  /** and replicas. */
  readonly replica: Int32Array;
  /** Experts with one replica, that, and its GPU. */
  readonly single: { readonly expert: Int32Array; readonly replica: Int32Array; readonly gpu: Int32Array };
}

export function choosersOf(whole: Topology): Choosers {
  const { experts, replicaStart, replicaGpu, replicaSlots } = whole;
  const { replicaExpert } = adjacency(whole);
  const copies = (e: number) => replicaStart[e + 1] - replicaStart[e];
  const expert = Int32Array.from([...Array(experts).keys()].filter((e) => copies(e) > 1));
  const replicas = [...replicaGpu.keys()];
  const replica = Int32Array.from(replicas.filter((r) => copies(replicaExpert[r]) > 1));
  const alone = Int32Array.from(replicas.filter((r) => copies(replicaExpert[r]) === 1));
  const start = new Int32Array(expert.length + 1);
  for (const [i, e] of expert.entries()) start[i + 1] = start[i] + copies(e);
  return {
    topology: {
      ...whole,
      experts: expert.length,
      replicaStart: start,
      replicaGpu: replica.map((r) => replicaGpu[r]),
      replicaSlots: replica.map((r) => replicaSlots[r]),
      lost: [],
    },
    expert,
    replica,
    single: { expert: alone.map((r) => replicaExpert[r]), replica: alone, gpu: alone.map((r) => replicaGpu[r]) },
  };
}
