import { ArgumentError } from "../errors.ts";
import type { CompiledKernel } from "../gpu/pipeline.ts";
import { compileSolve, compileSpecialised } from "../kernels/solve.ts";
import type { TopologyTable } from "../kernels/topology_table.ts";
import { newtonShape } from "../reference/newton.ts";
import type { Topology } from "../topology.ts";
import { specialise } from "./generate.ts";

export const kernelChoices = ["auto", "lane", "specialised"] as const;
/**
 * "lane": topology as data, one pipeline for many topologies. "specialised": topology as code, several times as fast, compiled for this
 * topology alone. "auto": lane at first, specialised once a topology has come back and its pipeline is ready.
 */
export type KernelChoice = (typeof kernelChoices)[number];

/** Which kernel solves, and why. */
export interface KernelPlan {
  kernel: "lane" | "specialised" | "cpu";
  reason: string;
}

export interface PlannedKernel {
  /** The kernel to solve with now. */
  readonly current: CompiledKernel;
  readonly plan: KernelPlan;
  /** Resolves once no better kernel is to come; asking starts the compilation. Never rejects: a failure is in `plan.reason`. */
  readonly ready: Promise<void>;
  /** Tells that a solve was done: topologies that come back are worth their pipeline. */
  solved(): void;
}

/** Statements of an iteration up to which a topology is compiled: about G = 32 with two replicas per GPU. */
export const MAX_STATEMENTS = 12_500;
/** Solves after which "auto" compiles: a pipeline costs as much as thousands of LPs, so the topology should be here to stay. */
const SOLVES_BEFORE = 8;

/** Compiles *lane* now and, where it is chosen, *specialised* in the background, so that no solve waits for it. */
export async function planKernel(
  device: GPUDevice,
  topology: Topology,
  table: TopologyTable,
  choice: KernelChoice,
): Promise<PlannedKernel> {
  const { equalSpeeds } = topology;
  let current = await compileSolve(device, table, equalSpeeds);
  let plan: KernelPlan = { kernel: "lane", reason: "The caller asked for it." };
  let ready: Promise<void> | undefined;
  let solves = 0;
  // The text is generated when it is needed: a solver that is used once never is.
  let text: ReturnType<typeof specialise> | undefined;
  const tooLarge = () => {
    text ??= specialise(newtonShape(topology, true));
    return text.statements > MAX_STATEMENTS;
  };
  const size = () => `an iteration takes ${text?.statements} statements, more than ${MAX_STATEMENTS}`;
  if (choice === "specialised" && tooLarge()) {
    throw new ArgumentError("kernel", `"lane", since ${size()}`, choice);
  }
  if (choice === "auto") plan = { kernel: "lane", reason: "This topology has not come back yet." };
  if (choice === "specialised") plan = { kernel: "lane", reason: "The specialised pipeline is being compiled." };

  async function compileText(): Promise<void> {
    if (choice === "lane") return;
    if (tooLarge()) {
      plan = { kernel: "lane", reason: `No specialised pipeline: ${size()}.` };
      return;
    }
    plan = { kernel: "lane", reason: "The specialised pipeline is being compiled." };
    try {
      // Bind groups need not change: both kernels have the same bindings.
      current = await compileSpecialised(device, table, equalSpeeds, text!);
      plan = {
        kernel: "specialised",
        reason: `Compiled for this topology: ${text!.statements} statements an iteration.`,
      };
    } catch (error) {
      plan = { kernel: "lane", reason: `The specialised pipeline failed: ${(error as Error).message}` };
    }
    text = undefined;
  }
  const start = () => {
    ready ??= compileText();
    return ready;
  };
  if (choice === "specialised") start();
  return {
    get current() {
      return current;
    },
    get plan() {
      return plan;
    },
    get ready() {
      return start();
    },
    solved() {
      if (choice === "auto" && ++solves === SOLVES_BEFORE) start();
    },
  };
}
