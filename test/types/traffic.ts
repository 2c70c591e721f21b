/** Traffic as a user writes it. Never run, as consumer.ts beside it. */
import {
  type BalancerMetrics,
  type Certificate,
  certify,
  createSolver,
  type Distanced,
  type ExpertLoads,
  type ImbalanceReport,
  type Placement,
  type ReplicaLoads,
  type ReplicaProblem,
  type ReplicaSolution,
  type Solver,
  type SourcedSolution,
  type SourceLoads,
  solveLoadBalanceLP,
  type TrafficAnswer,
  type TrafficReport,
  type TrafficTotals,
} from "evenkeel";

export async function withSources(placement: Placement, loads: SourceLoads): Promise<TrafficAnswer> {
  const apart: Distanced = { nodes: 2 };
  const both: ExpertLoads = { expertLoad: [[60, 200, 20, 10]], sourceLoad: loads.sourceLoad };
  const solver: Solver<ReplicaLoads, ReplicaSolution> = await createSolver(placement, apart);
  await solver.solve(both, { slack: 0.05 });
  const problem: ReplicaProblem = { placement, ...loads, distance: [[0, 1, 9, 9]] };
  const solution: SourcedSolution = await solveLoadBalanceLP({ placement, nodes: 2, ...loads });
  const certificates: Certificate[] = certify(problem, solution);
  console.log(certificates[0].trafficTrue, certificates[0].trafficBoundValid);
  const { sourceQuota, traffic, trafficBound, loadLimit, potential } = solution;
  return { sourceQuota, traffic, trafficBound, loadLimit, potential };
}

export function awayFromHome({ traffic }: ImbalanceReport): Int32Array | undefined {
  const report: TrafficReport | undefined = traffic;
  console.log(report?.ownGpu, report?.ownNode, report?.tokenNodePairs, report?.otherNodePairs);
  return report?.otherNodes;
}

export const sentSoFar = ({ trafficAfter }: BalancerMetrics): TrafficTotals | undefined => trafficAfter;
