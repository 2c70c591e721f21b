import { ArgumentError } from "../errors.ts";
import type { CompiledKernel } from "../gpu/pipeline.ts";
import { compileSolve } from "../kernels/solve.ts";
import { compileSpecialised, labelTable } from "../kernels/specialised.ts";
import type { TopologyTable } from "../kernels/topology_table.ts";
import type { Topology } from "../topology.ts";
import { canonicalForm } from "./canonical.ts";
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

/** A kernel and what it knows of the topology. */
export interface TopologyKernel {
  readonly compiled: CompiledKernel;
  /** By the name of its binding. */
  readonly table: { readonly name: "topology" | "labels"; readonly binding: GPUBufferBinding };
}

export interface PlannedKernel {
  /** The kernel to solve with now. */
  readonly current: TopologyKernel;
  readonly plan: KernelPlan;
  /** Resolves once no better kernel is to come; asking starts the compilation. Never rejects: a failure is in `plan.reason`. */
  readonly ready: Promise<void>;
  /** Tells that a solve was done: topologies that come back are worth their pipeline. */
  solved(): void;
}

/** Statements of the generated code up to which a topology is compiled: about 64 GPUs with a redundant expert each; compiling it takes 10 s on a software adapter. */
export const MAX_STATEMENTS = 16_384;
/** Solves after which "auto" compiles: a pipeline costs as much as thousands of LPs, so the topology should be here to stay. */
const SOLVES_BEFORE = 8;

/**
 * Compiles *lane* now and, where it is chosen, *specialised* in the background, so that no solve waits for it.
 *
 * @param upload  Makes a storage buffer of the caller's.
 */
export async function planKernel(
  device: GPUDevice,
  topology: Topology,
  laneTable: TopologyTable,
  choice: KernelChoice,
  upload: (label: string, data: Uint32Array<ArrayBuffer>) => GPUBuffer,
): Promise<PlannedKernel> {
  let current: TopologyKernel = {
    compiled: await compileSolve(device, laneTable, topology.equalSpeeds),
    table: { name: "topology", binding: { buffer: upload("topology", laneTable.data) } },
  };
  let plan: KernelPlan = { kernel: "lane", reason: "The caller asked for it." };
  let ready: Promise<void> | undefined;
  let solves = 0;
  // The text is generated when it is needed: a solver that is used once never is.
  let generated: ReturnType<typeof generate> | undefined;
  const generate = () => {
    const form = canonicalForm(topology);
    return { form, text: specialise(form) };
  };
  const tooLarge = () => {
    generated ??= generate();
    return generated.text.statements > MAX_STATEMENTS;
  };
  const size = () => `a solve takes ${generated?.text.statements} statements, more than ${MAX_STATEMENTS}`;
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
    const { form, text } = generated!;
    try {
      const compiled = await compileSpecialised(device, text);
      current = { compiled, table: { name: "labels", binding: { buffer: upload("labels", labelTable(form)) } } };
      plan = { kernel: "specialised", reason: `Compiled for this topology: ${text.statements} statements a solve.` };
    } catch (error) {
      plan = { kernel: "lane", reason: `The specialised pipeline failed: ${(error as Error).message}` };
    }
    generated = undefined;
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
