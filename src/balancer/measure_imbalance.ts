import { type ArgumentError, ShapeError, whyNotWebgpu } from "../common/errors.ts";
import { requireObject } from "../common/objects.ts";
import { WORD } from "../gpu/constants.ts";
import { createJob } from "../gpu/job.ts";
import { bind, type CompiledKernel } from "../gpu/pipeline.ts";
import { acquireDevice } from "../lp/device_choice.ts";
import { costTable } from "../lp/kernels/cost_table.ts";
import { checkBackend, type SolverOptions } from "../lp/solver_options.ts";
import { evenQuota } from "./even_quota.ts";
import { type Checked, checkInput, type ImbalanceInput } from "./imbalance_input.ts";
import { trafficByPosition } from "./imbalance_traffic.ts";
import { compileApportion } from "./kernels/apportion.ts";
import {
  balanceParams,
  CHUNK,
  chunksOf,
  LANES,
  MAX_EXPERTS,
  placementTable,
  tooLargeFor,
} from "./kernels/balance_params.ts";
import { compileCount } from "./kernels/count.ts";
import { compileImbalance, decodeImbalance, type ImbalanceReport, METRICS_WORDS } from "./kernels/imbalance.ts";
import { compileTimeImbalance, decodeTimes, TIME_METRICS_WORDS } from "./kernels/time_imbalance.ts";
import { reportOf } from "./report.ts";
import { count } from "./twins/count.ts";

/** The options of `createSolver` that apply here; "auto" is the caller's device or a hardware adapter where there is one, else the CPU. */
export type ImbalanceOptions = Pick<SolverOptions, "backend" | "device" | "adapter">;

/** An ImbalanceReport, and how many ids were neither an expert nor -1. */
export type MeasuredImbalance = ImbalanceReport & { /** [L] */ outOfRange: Int32Array };

/**
 * How evenly a batch loads the GPUs, for L layers.
 *
 *   imbalance = max / mean   balancedness = mean / max   idleTokens = sum_g (max - load_g)   variation = std / mean
 *
 * Loads are whole tokens and exact; ratios are f32 on WebGPU, f64 on the CPU. A layer without tokens has imbalance 1 and idleTokens 0. Dead GPUs are out
 * of it, and so are the tokens of experts without a living slot, which nobody serves. With a cost, also when each GPU is done, and how even that is:
 * f32 on WebGPU.
 *
 * With distances, and ids, also where the assignments go from their tokens' sources, counted on the host: an expert's tokens fill its slots in order of
 * position, as a balancer's `remap` without distances lets them, evenly or by `quota` or `shares`. (A balancer that knows the distances chooses whose
 * tokens fill a quota, and sends fewer of them far; its own `before` and `after` tell.)
 *
 * @param input  read, never written or kept.
 * @throws {ShapeError | ArgumentError | LoadError} A length or value is not as it should be, or quotas do not add up to the counts.
 * @throws {DeviceError} backend is "webgpu" and there is no device, or it is lost.  @throws {KernelError} It is, and the device's compiler
 *   refuses a kernel.
 */
export async function measureImbalance(
  input: ImbalanceInput,
  options: ImbalanceOptions = {},
): Promise<MeasuredImbalance> {
  requireObject("options", options, { backend: true, device: true, adapter: true });
  const backend = checkBackend(options);
  const checked = checkInput(input);
  const { sourced, placements, layers, quota } = checked;
  const traffic = sourced && trafficByPosition(sourced, placements, layers, quota); // before the caller may change the ids
  return { ...(await measure(checked, backend, options)), ...(traffic && { traffic }) };
}

async function measure(
  checked: Checked,
  backend: ReturnType<typeof checkBackend>,
  options: ImbalanceOptions,
): Promise<MeasuredImbalance> {
  const { acquired } = await acquireDevice(backend, options);
  const excess = acquired && excessOn(acquired.device, checked);
  if (excess && backend === "webgpu") throw excess;
  if (!acquired || excess) return onCpu(checked);
  try {
    return await onGpu(acquired.device, checked);
  } catch (error) {
    if (backend === "webgpu" || whyNotWebgpu(error) === undefined) throw error;
    return onCpu(checked);
  }
}

/** What is too much for a device, if anything: WebGPU itself would answer zeros. */
function excessOn({ limits }: GPUDevice, { placements, layers, ids, cost }: Checked): ArgumentError | undefined {
  const { maxComputeWorkgroupsPerDimension: workgroups, maxStorageBufferBindingSize: bytes } = limits;
  const { gpus, logicalExperts } = placements[0];
  const remedy = `Use backend "cpu" or "auto".`;
  const readBack = 2 * gpus + METRICS_WORDS + 1 + (cost ? gpus + TIME_METRICS_WORDS : 0);
  const tooLarge = tooLargeFor(limits, placements, layers, ids ? ids.length / layers : 0, readBack);
  if (tooLarge || !ids) return tooLarge;
  if (logicalExperts > MAX_EXPERTS) {
    return new ShapeError("placement.logicalExperts", `at most ${MAX_EXPERTS} with topkIds`, logicalExperts, remedy);
  }
  const mostIds = Math.min(Math.floor(bytes / 4), layers * workgroups * CHUNK);
  if (ids.length > mostIds) return new ShapeError("topkIds", `at most ${mostIds} on this device`, ids.length, remedy);
  return undefined;
}

function onCpu(checked: Checked): MeasuredImbalance {
  const { placements, layers, ids, counts, quota, outOfRange } = checked;
  const { logicalExperts: experts } = placements[0];
  const counted = ids
    ? count(ids, layers, experts)
    : { counts: counts!, outOfRange: outOfRange ?? new Int32Array(layers) };
  const split = quota ?? evenQuota(placements, layers, counted.counts);
  return { ...reportOf(placements, layers, split, { ...checked, base: undefined }), outOfRange: counted.outOfRange };
}

async function onGpu(device: GPUDevice, checked: Checked): Promise<MeasuredImbalance> {
  const { placements, active, layers, ids, counts, quota, cost, speeds } = checked;
  const table = placementTable(placements, active);
  const { gpus, experts, slots } = table;
  const assignments = ids ? ids.length / layers : 0;
  const bytes = (perLayer: number) => layers * perLayer * WORD;
  const contents = {
    params: balanceParams(table, layers, assignments, 0),
    placement: table.data,
    ids: ids ?? WORD,
    chunkCounts: ids ? bytes(chunksOf(assignments) * experts) : WORD,
    counts: counts ?? bytes(experts),
    weights: WORD, // not read
    quota: quota ?? bytes(slots),
    base: bytes(gpus), // none
    skip: bytes(1),
    gpuLoad: bytes(gpus),
    busy: bytes(gpus),
    metrics: bytes(METRICS_WORDS),
    curve: cost ? costTable(cost) : WORD,
    rate: Float32Array.from(speeds, (v) => 1 / v),
    time: bytes(cost ? gpus : 0),
    timeMetrics: bytes(cost ? TIME_METRICS_WORDS : 0),
    outOfRange: bytes(1),
  };
  const steps: [CompiledKernel, number, number][] = [];
  if (ids) steps.push([await compileCount(device, experts), chunksOf(assignments), layers]);
  if (!quota) steps.push([await compileApportion(device, true), Math.ceil(experts / LANES), layers]);
  steps.push([await compileImbalance(device), layers, 1]);
  const timed = cost && (await compileTimeImbalance(device));

  const outputs = ["gpuLoad", "busy", "metrics", "time", "timeMetrics", "outOfRange"] as const;
  const job = createJob(device, contents, { label: "measureImbalance", remedy: REMEDY, outputs });
  const record = (encoder: GPUCommandEncoder) => {
    const pass = encoder.beginComputePass({ label: "measureImbalance" });
    const run = (kernel: CompiledKernel, bindings: typeof job.bindings, x: number, y: number) => {
      pass.setPipeline(kernel.pipeline);
      pass.setBindGroup(0, bind(device, kernel, bindings));
      pass.dispatchWorkgroups(x, y);
    };
    for (const [kernel, x, y] of steps) run(kernel, job.bindings, x, y);
    if (timed) run(timed, { ...job.bindings, metrics: job.bindings.timeMetrics }, layers, 1);
    pass.end();
  };
  const living = active?.reduce((a, b) => a + b);
  try {
    return await job.run({ record }, ({ gpuLoad, busy, metrics, time, timeMetrics, outOfRange }) => ({
      ...decodeImbalance(gpuLoad, busy, metrics, living),
      ...(cost && decodeTimes(time, timeMetrics)),
      outOfRange: checked.outOfRange ?? Int32Array.from(outOfRange),
    }));
  } finally {
    job.destroy();
  }
}

const REMEDY = `Call it again, or use backend "auto" or "cpu".`;
