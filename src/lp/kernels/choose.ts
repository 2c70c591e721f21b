import { ArgumentError, DeviceError } from "../../common/errors.ts";
import type { Topology } from "../topology.ts";
import type { KernelChoice, KernelPlan } from "./choices.ts";
import { group } from "./group.ts";
import { lane, tooWideForLane } from "./lane.ts";
import { specialised } from "./specialised.ts";
import { time } from "./time.ts";
import type { LpKernel, Variant } from "./variant.ts";

/** A kernel and its tables on the device, by the names of their bindings. @internal */
export type BoundKernel = LpKernel & { readonly bound: Readonly<Record<string, GPUBufferBinding>> };

/** @internal */
export interface ChosenKernel {
  /** The kernel to solve with now. */
  readonly current: BoundKernel;
  readonly plan: KernelPlan;
  /** Resolves once no better kernel is to come; asking starts the compilation. Never rejects: a failure is in `plan.reason`. */
  readonly ready: Promise<void>;
  /** Tells that a solve was done: topologies that come back are worth their pipeline. */
  solved(): void;
}

/** Solves after which "auto" compiles: a pipeline costs as much as thousands of LPs, so the topology should be here to stay. */
const SOLVES_BEFORE = 8;

type Upload = (label: string, data: Uint32Array<ArrayBuffer>) => GPUBuffer;

/**
 * The variant for topologies as data, which may come and go: *lane*, and *group* for what is too wide for it or had better be left to group, which may have
 * no room for it; *time* where there is a cost.
 *
 * @throws {DeviceError} None takes them on this device.
 *
 * @internal
 */
export function variantFor(device: GPUDevice, topologies: readonly Topology[]): Variant {
  if (topologies[0].cost) {
    const excess = time.refuses(device, topologies);
    if (excess)
      throw new DeviceError(`The topology is too large for the kernel of time: ${excess}. Use backend "cpu".`);
    return time;
  }
  if (!tooWideForLane(topologies)) return lane;
  const laneTakesIt = lane.refuses(device, topologies) === undefined;
  return laneTakesIt && group.refuses(device, topologies) ? lane : groupFor(device, topologies);
}

function groupFor(device: GPUDevice, topologies: readonly Topology[]): Variant {
  const excess = group.refuses(device, topologies);
  if (excess) throw new DeviceError(`The topology is too large for the group kernel: ${excess}. Use backend "cpu".`);
  return group;
}

function firstFor(device: GPUDevice, topologies: readonly Topology[], choice: KernelChoice): Variant {
  if (choice === "lane") return lane;
  return choice === "group" ? groupFor(device, topologies) : variantFor(device, topologies);
}

/**
 * Compiles *lane* or *group* now and, where it is chosen, *specialised* in the background, so that no solve waits for it.
 *
 * @param upload  Makes a storage buffer of the caller's.
 * @throws {ArgumentError} The chosen kernel does not take the topology.  @throws {DeviceError} The device does not.
 *
 * @internal
 */
export async function chooseKernel(
  device: GPUDevice,
  topology: Topology,
  choice: KernelChoice,
  upload: Upload,
): Promise<ChosenKernel> {
  const topologies = [topology];
  const first = firstFor(device, topologies, choice);
  if (choice === "specialised") {
    const refused = specialised.refuses(device, topologies);
    if (refused) throw new ArgumentError("kernel", `"${first.name}", since ${refused}`, choice);
  }
  const bind = async (variant: Variant): Promise<BoundKernel> => {
    const kernel = await variant.compile(device, topologies);
    const curve = kernel.curve && { curve: { buffer: upload("curve", kernel.curve) } };
    return {
      ...kernel,
      bound: { [kernel.table.name]: { buffer: upload(kernel.table.name, kernel.table.data) }, ...curve },
    };
  };
  const chosen = new Chosen(device, topologies, choice, first.name, bind, await bind(first));
  if (choice === "specialised") chosen.ready;
  return chosen;
}

class Chosen implements ChosenKernel {
  plan: KernelPlan;
  private compiling: Promise<void> | undefined;
  private solves = 0;

  constructor(
    private readonly device: GPUDevice,
    private readonly topologies: readonly Topology[],
    private readonly choice: KernelChoice,
    private readonly first: Variant["name"],
    private readonly bind: (variant: Variant) => Promise<BoundKernel>,
    public current: BoundKernel,
  ) {
    const wide = first === "group" ? `, and ${tooWideForLane(topologies)}` : "";
    const notYet = first === "time" ? "There is a cost." : `This topology has not come back yet${wide}.`;
    this.plan = { kernel: first, reason: choice === "auto" ? notYet : "The caller asked for it." };
  }

  get ready(): Promise<void> {
    this.compiling ??= this.compileText();
    return this.compiling;
  }

  solved(): void {
    if (this.choice === "auto" && ++this.solves === SOLVES_BEFORE) this.ready;
  }

  private async compileText(): Promise<void> {
    if (this.choice === "lane" || this.choice === "group" || this.first === "time") return;
    const refused = specialised.refuses(this.device, this.topologies);
    if (refused) {
      this.plan = { kernel: this.first, reason: `No specialised pipeline: ${refused}.` };
      return;
    }
    this.plan = { kernel: this.first, reason: "The specialised pipeline is being compiled." };
    try {
      this.current = await this.bind(specialised);
      this.plan = { kernel: "specialised", reason: `Compiled for this topology: ${this.current.note}.` };
    } catch (error) {
      this.plan = { kernel: this.first, reason: `The specialised pipeline failed: ${(error as Error).message}` };
    }
  }
}
