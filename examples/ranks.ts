// Expert parallelism: 8 ranks, each with tokens and a balancer of its own. They exchange counts of tokens per expert, twice, and nothing
// else: all solve the same problem, and each sends its own tokens so that together they fill every slot to its quota. Then the same on four
// nodes: with the counts of each rank, no token leaves its node that need not.
//
//   node scripts/run.mjs examples/ranks.ts
import { createBalancer, Placement, rebalanceExperts } from "evenkeel";

const ranks = 8;
const nodes = 4;
const experts = 32;
const topK = 4;
const expected = Array.from({ length: experts }, (_, expert) => Math.sqrt(expert + 1) - Math.sqrt(expert)); // low ids are popular
const { physicalToLogical } = rebalanceExperts([expected], { replicas: 48, gpus: ranks });
const placement = Placement.fromPhysicalToLogical(physicalToLogical[0], { gpus: ranks });

const balancers = await Promise.all(
  Array.from({ length: ranks }, () => createBalancer({ placement, topK, maxTokens: 300 })),
);
// Ranks need not have equally many tokens, nor the popularity that the placement was made for.
const topkIds = balancers.map((_, rank) => {
  const uniform = (i: number) => ((i + 1) * (rank + 2) * 0.618034) % 1;
  return Int32Array.from({ length: (200 + 10 * rank) * topK }, (_, i) => Math.floor(experts * uniform(i) ** 2.5));
});

const counts = balancers.map((balancer, rank) => balancer.count(topkIds[rank])); // [E] on each rank
const total = allReduceSum(counts);
const before = exclusiveScan(counts);
const batches = await Promise.all(
  balancers.map((balancer, rank) => balancer.balance(topkIds[rank], { counts: total, before: before[rank] })),
);

const filled = new Int32Array(placement.physicalExperts);
for (const { physicalIds } of batches) for (const slot of physicalIds) filled[slot]++;
const { quota, before: even, after, status } = batches[0];
const same = batches.every((batch) => batch.quota.every((tokens, slot) => tokens === quota[slot]));
const met = filled.every((tokens, slot) => tokens === quota[slot]);
console.log(`${total.reduce((a, b) => a + b)} assignments of ${ranks} ranks, ${status[0]}, ${batches[0].backend}`);
console.log(`imbalance: ${even.imbalance[0].toFixed(3)} evenly split, ${after.imbalance[0].toFixed(3)} balanced`);
console.log(`all ranks have the same quotas: ${same}; their tokens together meet them: ${met}`);

const near = await Promise.all(
  Array.from({ length: ranks }, () => createBalancer({ placement, topK, maxTokens: 300, nodes })),
);
const bySource = allGather(counts);
const nearer = await Promise.all(
  near.map((balancer, rank) => balancer.balance(topkIds[rank], { rank, bySource })), // counts and before follow
);
const evenly = nearer.every(
  ({ after, status: [proven] }) => proven === "optimal" && after.max[0] === batches[0].after.max[0],
);
const [far, less] = [batches, nearer].map((all) =>
  all.reduce((sum, { physicalIds }, rank) => sum + away(rank, physicalIds), 0),
);
console.log(`to other nodes: ${far} by position, ${less} with the least traffic; as even: ${evenly}`);
process.exitCode = same && met && evenly && less <= far ? 0 : 1;
for (const balancer of [...balancers, ...near]) balancer.destroy();

/** Assignments of a rank that leave its node. */
function away(rank: number, physicalIds: Int32Array): number {
  const node = (gpu: number) => Math.floor((gpu * nodes) / ranks);
  return physicalIds.filter((slot) => node(placement.gpuOf[slot]) !== node(rank)).length;
}

/** Every rank gets the rows of all. (NCCL and MPI: AllGather.) */
function allGather(perRank: Int32Array[]): Int32Array {
  return Int32Array.from(perRank.flatMap((counts) => [...counts]));
}

/** Every rank gets the sum over all ranks. (NCCL and MPI: AllReduce.) */
function allReduceSum(perRank: Int32Array[]): Int32Array {
  return perRank[0].map((_, i) => perRank.reduce((sum, counts) => sum + counts[i], 0));
}

/** Each rank gets the sum over the ranks before it. (MPI: Exscan.) */
function exclusiveScan(perRank: Int32Array[]): Int32Array[] {
  return perRank.map((counts, rank) =>
    counts.map((_, i) => perRank.slice(0, rank).reduce((sum, row) => sum + row[i], 0)),
  );
}
