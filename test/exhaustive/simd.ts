import { exactSolver } from "../../src/lp/exact.ts";
import { simdSolver } from "../../src/lp/simd/simd_solver.ts";
import { emptyRaw, judge } from "../../src/lp/solution.ts";
import { families, instances, shapes, topologyAndLoads } from "../helpers/instances.ts";
import { maxLoadUnder } from "../helpers/max_load.ts";
import { instancesPerSeed } from "../helpers/sweep.ts";

const SEEDS = [51, 52, 53, 54];

/** Every instance, as the program leaves it and before anything finishes it: optimal, at the exact solver's max load, proven by its own set. */
export async function simdPath(count: number, onProgress: (done: number, total: number) => void): Promise<boolean> {
  const batch = Math.ceil(count / (SEEDS.length * instancesPerSeed));
  const total = batch * SEEDS.length * instancesPerSeed;
  const failures: string[] = [];
  let [done, sweeps, moves] = [0, 0, 0];
  for (const seed of SEEDS) {
    for (const unequalSpeeds of [false, true]) {
      for (const instance of instances(Object.keys(shapes), Object.keys(families), seed, batch, unequalSpeeds)) {
        const { topology, loads } = await topologyAndLoads(instance);
        const made = await simdSolver(topology);
        if ("reason" in made) throw new Error(made.reason);
        const raw = emptyRaw(topology, loads);
        made.solve(loads, 0, batch, raw);
        const { judged, judgeOne } = judge(topology, loads, raw);
        const exact = exactSolver(topology);
        const [x, member] = [new Float64Array(topology.replicaGpu.length), new Uint8Array(topology.gpus)];
        for (let lp = 0; lp < batch; lp++) {
          exact.solve(loads, lp, x, member);
          const found = [judgeOne(lp), judged.maxLoad[lp]].join(" ");
          const expected = ["optimal", maxLoadUnder(topology, loads, lp, x)].join(" ");
          if (found !== expected) failures.push(`${instance.name}, seed ${seed}, LP ${lp}: ${found}, not ${expected}`);
          sweeps = Math.max(sweeps, raw.iterations[lp]);
          moves = Math.max(moves, raw.moves[lp]);
        }
        done += batch;
        onProgress(done, total);
      }
    }
  }
  for (const failure of failures.slice(0, 20)) console.log(failure);
  console.log(`instances             ${done}`);
  console.log(`optimal, raw          ${done - failures.length}`);
  console.log(`sweeps, most          ${sweeps}`);
  console.log(`rounds, most          ${moves}`);
  return failures.length === 0;
}
