/** The kernels of traffic on a device, for batches on one topology. */
import type { Pauses } from "../../common/pauses.ts";
import { WORD } from "../../gpu/constants.ts";
import { createJob, type Job } from "../../gpu/job.ts";
import { bind, type CompiledKernel, foldGrid } from "../../gpu/pipeline.ts";
import type { Distance } from "../../placement/distance.ts";
import { compileMatchSources, matchGrid } from "../kernels/match_sources.ts";
import { SOURCE_PARAMS_BYTES, type SourceTable, sourceParams, sourceTable } from "../kernels/source_table.ts";
import { compileTraffic, trafficProofWords, trafficRefuses } from "../kernels/traffic.ts";
import type { Topology } from "../topology.ts";
import type { TrafficAnswer } from "./traffic_answer.ts";

/** Bytes of a buffer that are copied in one piece: a few milliseconds. */
const LARGEST_COPY = 2 ** 24;
const REMEDY = `Create a new solver, or use backend "auto" or "cpu".`;

type Part = "table" | "params" | "sourceLoad" | "cap" | "skip" | "flow" | "quota" | "sourceQuota" | "proof";
type Output = "quota" | "sourceQuota" | "proof";

/** Buffers grow to the largest piece seen and are kept. Calls must not overlap. */
export class TrafficDevice {
  /** LPs of one submit at most. */
  private readonly most: number;
  private own: (Job<Part, Output> & { capacity: number }) | undefined;

  private constructor(
    private readonly device: GPUDevice,
    private readonly table: SourceTable,
    private readonly match: CompiledKernel,
    private readonly traffic: CompiledKernel,
  ) {
    const { sources, replicas, slots, experts } = table;
    const { maxStorageBufferBindingSize, maxComputeWorkgroupsPerDimension: workgroups } = device.limits;
    const row = WORD * sources * Math.max(replicas, slots, experts);
    this.most = Math.max(
      1,
      Math.min(workgroups, Math.floor(Math.min(LARGEST_COPY, maxStorageBufferBindingSize) / row)),
    );
  }

  /**
   * Undefined where the device has no room for the kernels.
   *
   * @throws {KernelError} Its compiler refuses one.
   */
  static async create(device: GPUDevice, topology: Topology, distance: Distance): Promise<TrafficDevice | undefined> {
    const table = sourceTable([topology], distance);
    if (trafficRefuses(device, table)) return undefined;
    const kernels = await Promise.all([compileMatchSources(device, table), compileTraffic(device, table)]);
    return new TrafficDevice(device, table, ...kernels);
  }

  /**
   * Answers LPs: whose tokens fill the quotas [B, P], and where it does not give up, quotas of least traffic. Written are quotas, sourceQuota and the
   * potentials of the GPUs; what follows from them is for others to judge.
   *
   * @param sourceLoad  [B, S, E]  @param cap  [B, G]
   * @throws {DeviceError} The device was lost.
   */
  async solve(
    sourceLoad: Int32Array,
    cap: Int32Array,
    quota: Int32Array,
    answer: TrafficAnswer,
    pauses: Pauses,
  ): Promise<void> {
    const { gpus } = this.table;
    for (let first = 0; first < cap.length / gpus; first += this.most) {
      pauses.signal?.throwIfAborted();
      await this.solvePiece(first, Math.min(this.most, cap.length / gpus - first), sourceLoad, cap, quota, answer);
      pauses.rested();
    }
  }

  private async solvePiece(
    first: number,
    count: number,
    sourceLoad: Int32Array,
    cap: Int32Array,
    quota: Int32Array,
    answer: TrafficAnswer,
  ): Promise<void> {
    const { table } = this;
    const { sources, experts, slots, gpus } = table;
    const job = this.jobFor(count);
    const rows = (values: Int32Array, width: number) => values.subarray(first * width, (first + count) * width);
    const words = { quota: slots, sourceQuota: sources * slots, proof: trafficProofWords(table) };
    const work = {
      upload: {
        params: sourceParams(table, count),
        sourceLoad: rows(sourceLoad, sources * experts),
        cap: rows(cap, gpus),
        quota: rows(quota, slots),
      },
      record: (encoder: GPUCommandEncoder) => this.record(encoder, job.bindings, count),
      bytes: Object.fromEntries(Object.entries(words).map(([name, width]) => [name, count * width * WORD])),
    };
    await job.run(work, (found) => {
      quota.set(found.quota, first * slots);
      answer.sourceQuota.set(found.sourceQuota, first * sources * slots);
      const proof = new Int32Array(found.proof.buffer, found.proof.byteOffset, found.proof.length);
      for (let lp = 0; lp < count; lp++) {
        for (let g = 0; g < gpus; g++) {
          answer.potential.gpu[(first + lp) * gpus + g] = proof[lp * words.proof + 1 + g] * table.step;
        }
      }
    });
  }

  private record(encoder: GPUCommandEncoder, bindings: Job<Part, Output>["bindings"], count: number): void {
    const pass = encoder.beginComputePass({ label: "traffic" });
    for (const [kernel, grid] of [
      [this.match, matchGrid(this.table, count)],
      [this.traffic, foldGrid(this.device, count)],
    ] as const) {
      pass.setPipeline(kernel.pipeline);
      pass.setBindGroup(0, bind(this.device, kernel, bindings));
      pass.dispatchWorkgroups(grid[0], grid[1]);
    }
    pass.end();
  }

  private jobFor(batch: number) {
    if (this.own && this.own.capacity >= batch) return this.own;
    this.own?.destroy();
    const { data, sources, experts, slots, gpus, replicas } = this.table;
    const bytes = (words: number) => batch * words * WORD;
    const contents = {
      ...{ table: data, params: SOURCE_PARAMS_BYTES, skip: WORD },
      ...{ sourceLoad: bytes(sources * experts), cap: bytes(gpus), flow: bytes(replicas * sources) },
      ...{ quota: bytes(slots), sourceQuota: bytes(sources * slots), proof: bytes(trafficProofWords(this.table)) },
    };
    const job = createJob(this.device, contents, {
      label: "traffic",
      remedy: REMEDY,
      outputs: ["quota", "sourceQuota", "proof"],
    });
    this.own = Object.assign(job, { capacity: batch });
    return this.own;
  }

  destroy(): void {
    this.own?.destroy();
    this.own = undefined;
  }
}
