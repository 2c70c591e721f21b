/** What solvers are made with and called with, and the checks of it. */

import { threadsAreSupported } from "#threads";
import { requireCalls } from "../common/calls.ts";
import { ArgumentError } from "../common/errors.ts";
import type { FieldsOf } from "../common/objects.ts";
import type { Pauses } from "../common/pauses.ts";
import { type AdapterChoice, resolveChoice } from "../gpu/device.ts";
import type { GPUDeviceLike } from "../gpu/types.ts";
import { type Activity, checkActive } from "../placement/active.ts";
import { checkDistance, type Distanced, requireSameDistance } from "../placement/distance.ts";
import { isPlacementLike, Placement, requireCount } from "../placement/placement.ts";
import type { Form } from "./form.ts";
import { type AnyForm, toTopology } from "./forms.ts";
import { type KernelChoice, kernelChoices } from "./kernels/choices.ts";
import { MAX_GPUS_LANE } from "./kernels/lane.ts";
import {
  type EdgeProblem,
  type Graph,
  type LoadBalanceProblem,
  type Loads,
  type ReplicaProblem,
  type Speed,
  type TokenMode,
  tokenModes,
} from "./problem.ts";
import { type Costed, requireSameCost } from "./time/expert_cost.ts";
import type { Topology } from "./topology.ts";

export const backends = ["auto", "webgpu", "cpu"] as const;

export interface SolverOptions extends Speed, Activity, Costed, Distanced {
  /**
   * "webgpu": the kernel, or a DeviceError or KernelError. "cpu": the exact solver and, for a topology that comes back, simd. "auto" (default): each batch goes where it is expected to take less
   * time. The CPU answers at once; a GPU, hardware first, is prepared in the background after a second's solving or when `ready` is asked
   * for, and then both are timed on this solver's own loads. `solution.backend` and `solution.reason` say who answered and why.
   */
  backend?: (typeof backends)[number];
  /** A device of the caller's, used as it is and never destroyed. */
  device?: GPUDeviceLike;
  /** Which adapters may be taken; the environment variable EVENKEEL_ADAPTER, or "auto", by default. */
  adapter?: AdapterChoice;
  /** Which kernel, see KernelChoice; "auto" by default. One of WebGPU's leaves the CPU its own choice, and the other way round. */
  kernel?: KernelChoice;
  /**
   * Threads that share a large batch on the CPU, this one included; 1 by default. In Node alone. Workers are opened after 50 ms on large batches, or
   * when `ready` is asked for, and closed by `destroy`; idle ones keep no program from its end. The answers are those of one thread.
   * Where dist/worker.js is not beside the code, as in a bundle of your own without it, one thread does it all, and `plan` says why.
   */
  threads?: number;
}

export const solverFields = {
  ...{ speed: true, active: true, cost: true, backend: true, device: true, adapter: true, kernel: true, threads: true },
  ...{ distance: true, nodes: true },
} satisfies FieldsOf<SolverOptions>;

export interface SolveOptions {
  /** "integer": whole tokens, optimal to the token; the default when every load is an integer. "fractional": the LP's own x. */
  tokens?: TokenMode;
  /**
   * Also level the GPUs below the bottleneck: of all optimal splits one whose GPU loads, sorted in descending order, are lexicographically
   * least; of these, the one that gives low labels the higher loads. The same loads on every backend, at up to about twice the time. false by
   * default. For whole tokens and equal speeds.
   */
  level?: boolean;
  /**
   * With sourceLoad: GPUs may be loaded up to (1 + slack) times the least possible, for less traffic; 0 by default. The status still speaks of the load:
   * "gap" where it is above the least.
   */
  slack?: number;
  /** Stops a long solve between pieces of the batch; the call rejects with the signal's reason. */
  signal?: AbortSignal;
}

export const solveFields = { tokens: true, level: true, slack: true, signal: true } satisfies FieldsOf<SolveOptions>;

/** Checks the options that say who answers, whoever it will be, and returns the backend. @internal */
export function checkBackend({
  backend = "auto",
  device,
  adapter,
}: Pick<SolverOptions, "backend" | "device" | "adapter">): (typeof backends)[number] {
  if (!backends.includes(backend)) throw new ArgumentError("backend", `"auto", "webgpu" or "cpu"`, backend);
  if (adapter !== undefined) resolveChoice(adapter);
  if (device !== undefined && typeof device?.createBuffer !== "function") {
    throw new ArgumentError("device", "a GPUDevice", device);
  }
  return backend;
}

/** Checks which kernel is asked for, and returns it. @internal */
export function checkKernel(
  { kernel = "auto" }: Pick<SolverOptions, "kernel">,
  backend: (typeof backends)[number],
  topology: Topology,
): KernelChoice {
  if (!kernelChoices.includes(kernel)) {
    throw new ArgumentError("kernel", kernelChoices.map((known) => `"${known}"`).join(" or "), kernel);
  }
  if (topology.cost && kernel !== "auto") {
    throw new ArgumentError("kernel", `"auto" with a cost`, kernel, "One kernel balances time.");
  }
  if (kernel === "simd" && backend === "webgpu") {
    throw new ArgumentError("kernel", `one of WebGPU's, since backend is "webgpu"`, kernel);
  }
  if (kernel === "lane" && topology.gpus > MAX_GPUS_LANE) {
    throw new ArgumentError("kernel", `"group", since lane takes at most ${MAX_GPUS_LANE} GPUs`, kernel);
  }
  return kernel;
}

/** Checks the option, and returns how many threads share a batch on the CPU. @internal */
export function checkThreads({ threads = 1, backend }: Pick<SolverOptions, "threads" | "backend">): number {
  requireCount("threads", threads);
  if (threads > 1 && !threadsAreSupported) throw new ArgumentError("threads", "1 outside Node", threads);
  if (threads > 1 && backend === "webgpu") {
    throw new ArgumentError("threads", '1 with backend "webgpu"', threads, "Threads solve on the CPU.");
  }
  return threads;
}

/** Loads may come as part of a problem; then it must be of the solver's topology, which is the one that is solved. */
export function requireOwnTopology(
  given: Partial<LoadBalanceProblem>,
  { of: form, topology: own, distance }: Pick<AnyForm, "of" | "topology" | "distance">,
): void {
  const { placement, gpus, edges, speed, active, cost, ...rest } = given as Partial<ReplicaProblem & EdgeProblem>;
  const other = placement ?? (gpus === undefined && edges === undefined ? undefined : ({ gpus, edges } as Graph));
  if (other !== undefined && other !== form) {
    const given = isPlacementLike(other) ? Placement.of("loads.placement", other) : other;
    const [whole, ownWhole] = [toTopology(given, undefined), toTopology(form, undefined)];
    const same = (part: "slotExpert" | "slotReplica" | "replicaGpu" | "replicaStart") =>
      whole[part].length === ownWhole[part].length && whole[part].every((value, i) => value === ownWhole[part][i]);
    const alike = same("slotExpert") && same("slotReplica") && same("replicaStart") && whole.gpus === own.allGpus;
    if (!alike || !same("replicaGpu")) {
      const [name, what] = placement ? ["placement", "placement"] : ["edges", "graph"];
      throw new ArgumentError(`loads.${name}`, `none, or the ${what} that the solver was made for`, "another");
    }
  }
  const alive = checkActive(active, own.allGpus, "loads.active");
  if (alive && (alive.reduce((a, b) => a + b) !== own.gpus || own.label.some((g) => alive[g] === 0))) {
    throw new ArgumentError("loads.active", "none, or the GPUs that are active in the solver", "others");
  }
  if (cost !== undefined) requireSameCost(cost, own.cost, "loads.cost", "the solver's");
  const far = checkDistance(rest, own.allGpus, "loads.");
  if (far) requireSameDistance(far, distance, "loads", "the solver's");
  if (speed === undefined) return;
  // A dead GPU's is not known any more, and does not matter.
  if (speed.length !== own.allGpus || own.label.some((g, i) => speed[g] !== own.speed[i])) {
    throw new ArgumentError("loads.speed", "none, or the speeds that the solver was made for", "others");
  }
}

/** What one solve is called with, checked. @internal */
export interface Call {
  loads: Loads;
  level: boolean;
  slack: number;
  pauses: Pauses;
}

/** Checks what one solve is called with. Its loads are copied by the time that this returns. @internal */
export async function checkCall<L, A>(
  { topology, check, distance }: Form<L, A>,
  given: L,
  options: SolveOptions,
  pauses: Pauses,
): Promise<Call> {
  const { tokens, level = false, slack = 0, signal } = options;
  if (typeof level !== "boolean") throw new ArgumentError("level", "true or false", level);
  requireCalls({ signal });
  if (typeof slack !== "number" || !(slack >= 0 && slack < Infinity)) {
    throw new ArgumentError("slack", "a finite number >= 0", slack);
  }
  if (tokens !== undefined && !tokenModes.includes(tokens)) {
    throw new ArgumentError("tokens", `"integer" or "fractional"`, tokens);
  }
  if (topology.cost && tokens === "fractional") {
    throw new ArgumentError("tokens", `"integer" with a cost`, tokens, "An expert's time is of whole tokens.");
  }
  if (topology.cost && level) {
    throw new ArgumentError("level", "false with a cost", level, "Levelling moves tokens, whatever the time.");
  }
  if (level && distance) {
    throw new ArgumentError(
      "level",
      "false with distances",
      level,
      "Of equal loads, the one of least traffic is answered.",
    );
  }
  const loads = await check(given, tokens, pauses);
  if (slack > 0 && !loads.sourceLoad) {
    throw new ArgumentError("slack", "0 without sourceLoad", slack, "More load buys less traffic, and nothing else.");
  }
  if (level && loads.tokens !== "integer") {
    throw new ArgumentError("level", "false with fractions", level, "Levelling moves whole tokens.");
  }
  if (level && !topology.equalSpeeds) {
    throw new ArgumentError("level", "false with unequal speeds", level, "Levelling is for equal speeds.");
  }
  return { loads, level, slack, pauses };
}
