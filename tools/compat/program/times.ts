/** Balancing time: every kind of cost on WebGPU, certified, and where it comes in units as the CPU has it. */
import { certify, type ExpertCost, Placement, solveLoadBalanceLP } from "evenkeel";
import { seeded } from "../../../src/common/random.ts";
import { randomPlacement, randomSpeeds } from "../../../test/helpers/instances.ts";

const LPS = 16;
const costs: ExpertCost[] = [
  { model: "roofline", perExpert: 6.3, perToken: 0 },
  { model: "affine", perExpert: 0, perToken: 0.035, tile: 64 },
  { model: "roofline", perExpert: 6.3, perToken: 0.035 },
  { tokens: [1, 128.5, 512, 2048], time: [6.3, 8.3, 18.8, 72.3] },
];
const inUnits = 2;

/** @returns how many LPs were solved. */
export async function timesOnGpu(device: GPUDevice, fail: (what: string) => void): Promise<number> {
  let solved = 0;
  for (const [kind, cost] of costs.entries()) {
    for (const equal of [true, false]) {
      const random = seeded(400 + kind);
      const map = randomPlacement(random, 8, 5, 8, 4);
      const placement = Placement.fromPhysicalToLogical(map.physicalToLogical, { gpus: 8 });
      const expertLoad = Array.from({ length: LPS * placement.logicalExperts }, () => random.below(2000));
      const problem = { placement, expertLoad, cost, ...(!equal && { speed: randomSpeeds(random, 8) }) };
      const gpu = await solveLoadBalanceLP(problem, { backend: "webgpu", device });
      const cpu = await solveLoadBalanceLP(problem, { backend: "cpu" });
      for (const [lp, { valid }] of certify(problem, gpu).entries()) {
        if (!valid) fail(`cost ${kind}, LP ${lp}: not certified`);
        const [found, expected] = [gpu.maxTime[lp], cpu.maxTime[lp]];
        if (found > expected * (kind < inUnits ? 1 + 1e-9 : 1.05))
          fail(`cost ${kind}, LP ${lp}: ${found}, not ${expected}`);
        solved++;
      }
    }
  }
  return solved;
}
