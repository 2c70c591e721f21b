/** The sweep behind "optimal to the token": every shape, family, kind of speeds and seed, on both backends, each answer checked thrice. */
import type { EdgeSolution, ReplicaSolution, Status } from "../../src/index.ts";
import { families, instances, shapes } from "./instances.ts";
import { certifyInstance, solveInstance } from "./solve.ts";

export interface SweepSummary {
  instances: number;
  optimal: { webgpu: number; cpu: number };
  /** LPs in which the backends' max loads differ. */
  disagreements: number;
  /** LPs whose solution, from either backend, `certify` does not accept. */
  uncertified: number;
  /** Spoiled solutions that `certify` accepted nevertheless. */
  perturbedAccepted: number;
  /** LPs that the kernel left with a gap, all of them at unequal speeds. */
  finishedOnCpu: number;
  /** Moves of the kernel's exact finish. */
  moves: number[];
  iterations: number[];
  /** Descriptions of what went wrong. */
  failures: string[];
}

/** Solves `seeds.length` times all shapes and families, `batch` LPs each, with equal and with unequal speeds. */
export async function sweep(
  seeds: readonly number[],
  batch: number,
  onProgress: (instances: number) => void = () => {},
): Promise<SweepSummary> {
  const summary: SweepSummary = {
    instances: 0,
    optimal: { webgpu: 0, cpu: 0 },
    disagreements: 0,
    uncertified: 0,
    perturbedAccepted: 0,
    finishedOnCpu: 0,
    moves: [],
    iterations: [],
    failures: [],
  };
  const optimal = (statuses: readonly Status[]) => statuses.filter((status) => status === "optimal").length;
  for (const seed of seeds) {
    for (const unequalSpeeds of [false, true]) {
      for (const instance of instances(Object.keys(shapes), Object.keys(families), seed, batch, unequalSpeeds)) {
        const webgpu = await solveInstance(instance, { backend: "webgpu" });
        const cpu = await solveInstance(instance, { backend: "cpu" });
        summary.instances += batch;
        summary.optimal.webgpu += optimal(webgpu.status);
        summary.optimal.cpu += optimal(cpu.status);
        summary.finishedOnCpu += webgpu.finishedOnCpu;
        if (!unequalSpeeds && webgpu.finishedOnCpu > 0) {
          summary.failures.push(
            `${instance.name}, seed ${seed}, equal speeds: ${webgpu.finishedOnCpu} finished on the CPU`,
          );
        }
        summary.moves.push(...webgpu.moves);
        summary.iterations.push(...webgpu.iterations);
        const certificates = [certifyInstance(instance, webgpu), certifyInstance(instance, cpu)];
        for (let lp = 0; lp < batch; lp++) {
          const name = `${instance.name}, seed ${seed}, LP ${lp}, ${unequalSpeeds ? "unequal" : "equal"} speeds`;
          if (webgpu.maxLoad[lp] !== cpu.maxLoad[lp]) {
            summary.disagreements++;
            summary.failures.push(`${name}: webgpu ${webgpu.maxLoad[lp]}, cpu ${cpu.maxLoad[lp]}`);
          }
          for (const of of certificates) {
            if (of[lp].verdict === "optimal") continue;
            summary.uncertified++;
            summary.failures.push(`${name}: ${JSON.stringify(of[lp])}`);
          }
        }
        for (const spoiled of spoil(webgpu)) {
          summary.perturbedAccepted += certifyInstance(instance, spoiled).filter(({ valid }) => valid).length;
        }
        onProgress(summary.instances);
      }
    }
  }
  if (summary.finishedOnCpu > MOST_LEFT * summary.instances) {
    summary.failures.push(`${summary.finishedOnCpu} of ${summary.instances} instances finished on the CPU`);
  }
  return summary;
}

/**
 * The largest share of LPs that the kernel may leave to the CPU: the solver that hides a kernel's gaps must not be what a test looks at.
 * It leaves 0.1 to 0.2 %, at unequal speeds and near 2^31 tokens, where the rounding of a speed to a pace of 31 bits is a token.
 */
const MOST_LEFT = 0.005;

/** Copies with every LP spoiled: a token out of nowhere, a price, a GPU more or less in the bottleneck set. */
function* spoil(solution: EdgeSolution | ReplicaSolution): Generator<EdgeSolution | ReplicaSolution> {
  const { batch } = solution;
  const first = (values: Int32Array | Float64Array, by: number) => {
    const spoiled = values.slice();
    for (let i = 0; i < spoiled.length; i += spoiled.length / batch) spoiled[i] += by;
    return spoiled;
  };
  yield "flow" in solution
    ? { ...solution, flow: first(solution.flow, 1) }
    : { ...solution, quota: first(solution.quota, 1) };
  yield { ...solution, price: first(solution.price, 0.01) as Float64Array };
  const toggled = solution.bottleneck.map((gpus) => (gpus[0] === 0 ? gpus.slice(1) : [0, ...gpus]));
  yield { ...solution, bottleneck: toggled };
}

/** Instances that `sweep` solves per seed and batch of 1. */
export const instancesPerSeed = 2 * Object.keys(shapes).length * Object.keys(families).length;
