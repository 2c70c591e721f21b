import { seeded } from "../../src/common/random.ts";
import { certify, solveLoadBalanceLP } from "../../src/index.ts";
import { families, instances as instancesOf, shapes } from "../helpers/instances.ts";
import { levelled as bruteForce, tinyProblem } from "../helpers/level.ts";
import { certifyInstance, solveInstance } from "../helpers/solve.ts";

const BATCH = 64;
/** Shapes times families, per seed. */
const PER_SEED = Object.keys(shapes).length * Object.keys(families).length * BATCH;

/** Tiny problems as brute force has them, then every shape and family: the same loads from both backends, certified. */
export async function levelled(instances: number, onProgress: (done: number, total: number) => void): Promise<boolean> {
  const tiny = Math.ceil(instances / 2);
  const seeds = Math.ceil(instances / 2 / PER_SEED);
  const total = tiny + seeds * PER_SEED;
  let done = 0;
  let wrong = 0;
  for (let seed = 0; seed < tiny; seed++) {
    const problem = tinyProblem(seeded(seed));
    const solution = await solveLoadBalanceLP(problem, { backend: "cpu", level: true });
    const right = solution.gpuLoad.join() === bruteForce(problem).join();
    if (!right || certify(problem, solution)[0].verdict !== "optimal") wrong++;
    onProgress(++done, total);
  }
  console.log(`against brute force   ${tiny}, of which wrong ${wrong}`);
  let unlike = 0;
  let uncertified = 0;
  for (let seed = 0; seed < seeds; seed++) {
    for (const instance of instancesOf(Object.keys(shapes), Object.keys(families), seed, BATCH, false)) {
      const cpu = await solveInstance(instance, { backend: "cpu", level: true });
      const webgpu = await solveInstance(instance, { backend: "webgpu", level: true });
      if (cpu.gpuLoad.join() !== webgpu.gpuLoad.join()) unlike++;
      uncertified += certifyInstance(instance, webgpu).filter(({ verdict }) => verdict !== "optimal").length;
      done += BATCH;
      onProgress(done, total);
    }
  }
  console.log(`on both backends      ${seeds * PER_SEED}, batches that differ ${unlike}, not certified ${uncertified}`);
  return wrong + unlike + uncertified === 0;
}
