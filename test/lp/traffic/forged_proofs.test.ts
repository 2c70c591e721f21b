/** Proofs of less than they say: what floating point forgives must not be what a proof is made of. */
import { expect, test } from "vitest";
import { certify, Placement, type ReplicaProblem, solveLoadBalanceLP } from "../../../src/index.ts";
import type { TrafficSolution } from "../../helpers/traffic_faults.ts";

/** Two GPUs hold both experts. */
const placement = Placement.fromPhysicalToLogical([0, 1, 1, 0], { gpus: 2 });
const problem: ReplicaProblem = { placement, sourceLoad: [8, 1, 1, 8], distance: [0, 9, 9, 0] };

/** Every token goes to the other GPU: the loads are the least, too, and the traffic is 162 where it could be 0. */
async function worst(): Promise<TrafficSolution> {
  const answer = (await solveLoadBalanceLP(problem, { backend: "cpu" })) as TrafficSolution;
  expect([...answer.traffic, ...answer.gpuLoad]).toEqual([0, 9, 9]);
  answer.sourceQuota.set([0, 0, 1, 8, 1, 8, 0, 0]);
  answer.quota.set([1, 8, 1, 8]);
  answer.traffic[0] = 162;
  expect(certify(problem, answer)[0]).toMatchObject({ verdict: "optimal", trafficTrue: true }); // its bound is still 0
  answer.trafficBound[0] = 162;
  expect(certify(problem, answer)[0].verdict).toBe("invalid");
  return answer;
}

test("infinite potentials of sources prove nothing", async () => {
  const answer = await worst();
  answer.potential.source.fill(Infinity);
  expect(certify(problem, answer)[0]).toMatchObject({ trafficBoundValid: false, verdict: "invalid" });
});

test.each([2e12, 1e13, 1e15])("nor do potentials of %s, which cancel but for their rounding", async (huge) => {
  const answer = await worst();
  answer.potential.gpu.fill(-huge);
  answer.potential.source.fill(huge * (1 + 0.9e-11));
  expect(certify(problem, answer)[0]).toMatchObject({ trafficBoundValid: false, verdict: "invalid" });
});

test("a distance that nobody goes does not make the others' traffic a matter of rounding", async () => {
  // GPU 2 holds neither expert, and is far.
  const far: ReplicaProblem = {
    placement: Placement.fromPhysicalToLogical([0, 1, 1, 0, 2, 2], { gpus: 3 }),
    sourceLoad: [8, 1, 0, 1, 8, 0],
    distance: [0, 9, 1e13, 9, 0, 1e13],
  };
  const answer = (await solveLoadBalanceLP(far, { backend: "cpu" })) as TrafficSolution;
  expect([...answer.traffic, certify(far, answer)[0].verdict]).toEqual([0, "optimal"]);
  answer.traffic[0] = 500;
  expect(certify(far, answer)[0]).toMatchObject({ trafficTrue: false, verdict: "invalid" });
  answer.sourceQuota.set([0, 0, 1, 8, 0, 0, 1, 8, 0, 0, 0, 0]);
  answer.quota.set([1, 8, 1, 8, 0, 0]);
  answer.traffic[0] = 162;
  answer.trafficBound[0] = 162; // the potentials prove 0
  expect(certify(far, answer)[0]).toMatchObject({ trafficBoundValid: false, verdict: "invalid" });
});

test("whole distances and many tokens: one too much is one too much", async () => {
  const many: ReplicaProblem = { placement, sourceLoad: [8e8, 1e8, 1e8, 8e8], distance: [100, 109, 109, 100] };
  const answer = (await solveLoadBalanceLP(many, { backend: "cpu" })) as TrafficSolution;
  expect(answer.traffic[0]).toBe(1.8e11); // far below 2^53
  answer.traffic[0]++;
  expect(certify(many, answer)[0].verdict).toBe("invalid");
});
