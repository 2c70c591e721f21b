import { ShapeError } from "../errors.ts";
import { Placement } from "../placement/placement.ts";

/**
 * The originals lie contiguously, expert e on GPU floor(e / (E / gpus)), in the first slots of their GPUs; each replica goes to
 * the expert with the most load per replica, on the least loaded GPU that has a slot left and does not hold the expert yet.
 *
 * @param meanLoad  [E] what the placement is fitted to.
 * @throws {ShapeError} gpus does not divide E or `redundant`, or there are more slots than GPUs can fill with different experts.
 */
export function greedyPlacement(meanLoad: Float64Array, shape: { gpus: number; redundant: number }): Placement {
  const { gpus, redundant } = shape;
  const experts = meanLoad.length;
  if (experts % gpus !== 0) throw new ShapeError("gpus", `a divisor of the ${experts} experts`, gpus);
  if (redundant % gpus !== 0) throw new ShapeError("redundant", `a multiple of the ${gpus} GPUs`, redundant);
  const perGpu = experts / gpus;
  const slots = perGpu + redundant / gpus;
  const most = (experts - perGpu) * gpus;
  if (redundant > most)
    throw new ShapeError("redundant", `at most ${most}, a replica of every expert on every GPU`, redundant);

  const held = Array.from({ length: gpus }, (_, g) => Array.from({ length: perGpu }, (_, i) => g * perGpu + i));
  const share = Float64Array.from(meanLoad); // load per replica
  const loadOf = (gpu: number) => held[gpu].reduce((sum, expert) => sum + share[expert], 0);
  const order = [...meanLoad.keys()];
  for (let placed = 0; placed < redundant; placed++) {
    const open = [...held.keys()].filter((gpu) => held[gpu].length < slots).sort((a, b) => loadOf(a) - loadOf(b));
    order.sort((a, b) => share[b] - share[a]);
    // A GPU with a slot left lacks some expert, so there always is one.
    const expert = order.find((e) => open.some((gpu) => !held[gpu].includes(e)))!;
    const gpu = open.find((g) => !held[g].includes(expert))!;
    const replicas = held.filter((on) => on.includes(expert)).length;
    held[gpu].push(expert);
    share[expert] = meanLoad[expert] / (replicas + 1);
  }
  return Placement.fromPhysicalToLogical(held.flat(), { gpus });
}
