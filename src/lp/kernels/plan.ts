import { ArgumentError, DeviceError } from "../../common/errors.ts";
import type { CompiledKernel } from "../../gpu/pipeline.ts";
import type { Topology } from "../topology.ts";
import { canonicalForm } from "./canonical.ts";
import { specialise } from "./generate.ts";
import { compileGroup, groupVariant, tooLargeForGroup, tooLargeTable } from "./group.ts";
import { groupTable } from "./group_table.ts";
import { compileLane, MAX_GPUS_LANE, WORKGROUP } from "./lane.ts";
import { compileSpecialised, labelTable } from "./specialised.ts";
import { type TopologyTable, topologyTable } from "./topology_table.ts";
import { TooLong } from "./wgsl_field.ts";

export const kernelChoices = ["auto", "lane", "group", "specialised"] as const;
/**
 * "lane": one LP per invocation, topology as data, one pipeline for many topologies of up to 64 GPUs. "group": one LP per workgroup or
 * subgroup, following the fill of the placement, as many GPUs as workgroup memory holds. "specialised": one LP per invocation, topology as
 * code, many times as fast, compiled for this topology alone. "auto": lane or, beyond 64 GPUs, group at first; specialised once a
 * topology has come back and its pipeline is ready.
 */
export type KernelChoice = (typeof kernelChoices)[number];

/** Which kernel solves, and why. */
export interface KernelPlan {
  kernel: Exclude<KernelChoice, "auto"> | "cpu";
  reason: string;
}

/** A kernel and what it knows of the topology. @internal */
export interface TopologyKernel {
  readonly compiled: CompiledKernel;
  /** By the name of its binding. */
  readonly table: { readonly name: "topology" | "labels"; readonly binding: GPUBufferBinding };
  readonly lpsPerWorkgroup: number;
}

/** @internal */
export interface PlannedKernel {
  /** The kernel to solve with now. */
  readonly current: TopologyKernel;
  /** What its params are made of. */
  readonly table: TopologyTable;
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

type Upload = (label: string, data: Uint32Array<ArrayBuffer>) => GPUBuffer;

/** The kernel with the topology as data.  @throws {DeviceError} The topology does not fit the device. */
async function compileFirst(device: GPUDevice, topology: Topology, first: "lane" | "group", upload: Upload) {
  const kernel = (compiled: CompiledKernel, table: TopologyTable, lpsPerWorkgroup: number) => {
    const binding = { buffer: upload("topology", table.data) };
    return { table, current: { compiled, table: { name: "topology", binding }, lpsPerWorkgroup } as const };
  };
  const { equalSpeeds } = topology;
  if (first === "lane") {
    const table = topologyTable([topology]);
    return kernel(await compileLane(device, table, equalSpeeds), table, WORKGROUP);
  }
  const requireFit = (excess: string | undefined) => {
    if (excess) throw new DeviceError(`The topology is too large for the group kernel: ${excess}. Use backend "cpu".`);
  };
  requireFit(tooLargeForGroup(device, topology));
  const table = groupTable([topology]);
  const variant = groupVariant(device);
  requireFit(tooLargeTable(device, table, variant));
  return kernel(await compileGroup(device, table, equalSpeeds, variant), table, 1);
}

/**
 * Compiles *lane* or *group* now and, where it is chosen, *specialised* in the background, so that no solve waits for it.
 *
 * @param upload  Makes a storage buffer of the caller's.
 * @throws {ArgumentError} The chosen kernel does not take the topology.  @throws {DeviceError} The device does not.
 *
 * @internal
 */
export async function planKernel(
  device: GPUDevice,
  topology: Topology,
  choice: KernelChoice,
  upload: Upload,
): Promise<PlannedKernel> {
  const { gpus } = topology;
  // The text is generated when it is needed: a solver that is used once never is.
  let generated: ReturnType<typeof generate> | undefined;
  const generate = () => {
    const form = canonicalForm(topology);
    return { form, text: specialise(form, MAX_STATEMENTS) };
  };
  const tooLong = `a solve takes more than ${MAX_STATEMENTS} statements`;
  const fits = () => {
    try {
      generated ??= generate();
      return true;
    } catch (error) {
      if (error instanceof TooLong) return false;
      throw error;
    }
  };
  const first = choice === "group" || gpus > MAX_GPUS_LANE ? "group" : "lane";
  if (choice === "specialised" && !fits()) throw new ArgumentError("kernel", `"${first}", since ${tooLong}`, choice);
  const compiledFirst: { current: TopologyKernel; table: TopologyTable } = await compileFirst(
    device,
    topology,
    first,
    upload,
  );
  const { table } = compiledFirst;
  let { current } = compiledFirst;
  const wide = first === "group" ? ` It has more than ${MAX_GPUS_LANE} GPUs.` : "";
  let plan: KernelPlan = { kernel: first, reason: "The caller asked for it." };
  if (choice === "auto") plan = { kernel: first, reason: `This topology has not come back yet.${wide}` };
  if (choice === "specialised") plan = { kernel: first, reason: "The specialised pipeline is being compiled." };
  let ready: Promise<void> | undefined;
  let solves = 0;

  async function compileText(): Promise<void> {
    if (choice === "lane" || choice === "group") return;
    if (!fits()) {
      plan = { kernel: first, reason: `No specialised pipeline: ${tooLong}.` };
      return;
    }
    plan = { kernel: first, reason: "The specialised pipeline is being compiled." };
    const { form, text } = generated!;
    try {
      const compiled = await compileSpecialised(device, text);
      const binding = { buffer: upload("labels", labelTable(form)) };
      current = { compiled, table: { name: "labels", binding }, lpsPerWorkgroup: WORKGROUP };
      plan = { kernel: "specialised", reason: `Compiled for this topology: ${text.statements} statements a solve.` };
    } catch (error) {
      plan = { kernel: first, reason: `The specialised pipeline failed: ${(error as Error).message}` };
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
    table,
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
