import type { Topology } from "../topology.ts";

/**
 * The ways in which a token can go to another replica of its expert, grouped by the GPU that it leaves: exchanges start[a] to start[a + 1] - 1 leave
 * GPU a; each leaves a replica on `from` and enters one on `to`.
 */
export function exchanges({ gpus, experts, replicaStart, replicaGpu }: Topology) {
  const all: { leaves: number; enters: number }[][] = Array.from({ length: gpus }, () => []);
  for (let e = 0; e < experts; e++) {
    for (let r = replicaStart[e]; r < replicaStart[e + 1]; r++) {
      for (let other = replicaStart[e]; other < replicaStart[e + 1]; other++) {
        if (replicaGpu[other] !== replicaGpu[r]) all[replicaGpu[r]].push({ leaves: r, enters: other });
      }
    }
  }
  const start = new Int32Array(gpus + 1);
  for (let g = 0; g < gpus; g++) start[g + 1] = start[g] + all[g].length;
  const list = all.flat();
  return {
    start,
    leaves: Int32Array.from(list, ({ leaves }) => leaves),
    enters: Int32Array.from(list, ({ enters }) => enters),
    from: Int32Array.from(list, ({ leaves }) => replicaGpu[leaves]),
    to: Int32Array.from(list, ({ enters }) => replicaGpu[enters]),
  };
}
