import { whyNotWebgpu } from "../../common/errors.ts";
import type { Pauses } from "../../common/pauses.ts";
import type { Distance } from "../../placement/distance.ts";
import type { Topology } from "../topology.ts";
import type { TrafficAnswer } from "./traffic_answer.ts";
import { TrafficDevice } from "./traffic_device.ts";
import { type Settled, TrafficSolver } from "./traffic_solver.ts";

/** Where a batch's tokens go: on the device that answered the batch, if it has room for the kernels, or on the CPU. Calls must not overlap. */
export class TrafficStage {
  private readonly cpu: TrafficSolver;
  private own: { device: GPUDevice; traffic: TrafficDevice | undefined } | undefined;

  /** @param fallsBack  Whether the CPU takes over where the device is lost or refuses a kernel. */
  constructor(
    private readonly topology: Topology,
    private readonly distance: Distance,
    private readonly fallsBack: boolean,
  ) {
    this.cpu = new TrafficSolver(topology, distance);
  }

  /**
   * @param device  That answered the batch; undefined: the CPU did.
   * @throws {DeviceError | KernelError} It was lost or refuses a kernel, and nothing is to take over.
   */
  async solve(settled: Settled, slack: number, pauses: Pauses, device: GPUDevice | undefined): Promise<TrafficAnswer> {
    if (!device) return this.cpu.solve(settled, slack, pauses);
    try {
      return await this.cpu.solve(settled, slack, pauses, await this.kernelsOn(device));
    } catch (error) {
      if (!this.fallsBack || whyNotWebgpu(error) === undefined) throw error;
      return this.cpu.solve(settled, slack, pauses);
    }
  }

  private async kernelsOn(device: GPUDevice): Promise<TrafficDevice | undefined> {
    if (this.own?.device !== device) {
      this.own?.traffic?.destroy();
      this.own = { device, traffic: await TrafficDevice.create(device, this.topology, this.distance) };
    }
    return this.own.traffic;
  }

  destroy(): void {
    this.own?.traffic?.destroy();
  }
}
