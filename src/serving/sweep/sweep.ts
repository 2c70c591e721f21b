import { requireCalls } from "../../common/calls.ts";
import { ArgumentError } from "../../common/errors.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";
import { Pauses } from "../../common/pauses.ts";
import type { GPUDeviceLike } from "../../gpu/types.ts";
import { checkTrace, type Trace } from "../trace/trace.ts";
import { checkBackend, chooseReplays, type SweepBackend } from "./choose_replays.ts";
import { labelsOf, planSweep } from "./scenarios.ts";
import { gridSettings, type SweepGrid } from "./sweep_grid.ts";
import { type RawScenario, type SweptScenario, sweptScenario } from "./swept.ts";

export interface SweepOptions {
  /** "webgpu", "cpu", or "auto" (default): a GPU, a real one, where there is one and the sweep is worth it. Both give the same to the last bit. */
  backend?: SweepBackend;
  /** The caller's; it is not destroyed. */
  device?: GPUDeviceLike;
  /** Only the scenarios whose place in the grid is `index` modulo `count`: a part of a sweep that several machines share. */
  shard?: { index: number; count: number };
  signal?: AbortSignal;
  /** Share of the work that is done. */
  onProgress?: (share: number) => void;
}

const fields: FieldsOf<SweepOptions> = { backend: true, device: true, shard: true, signal: true, onProgress: true };

export interface Swept {
  /** In the order of the grid, the last named varying fastest: routing, scheduling, workers, rates, seeds. */
  scenarios: SweptScenario[];
  backend: "webgpu" | "cpu";
  /** Why that one. */
  reason: string;
  /** ms that the longest dispatch took, as the host sees it; 0 on the CPU. */
  longestDispatch: number;
}

/**
 * What if: serves a trace's requests once for every combination of policies, numbers of workers, rates and seeds, thousands of them at once on a GPU, and
 * says what became of each. A scenario is `simulate`'s, of workers that are all alike and step by themselves, without prefix caches: each prompt is prefilled whole.
 *
 * Time is whole microseconds (with rounds 2^-20 of one), in 64 bits: arrivals are rounded, a step's time is rounded up. So WebGPU and the CPU are equal in everything. Coefficients
 * of step times are whole multiples of 2.3e-16 s.
 *
 * @param trace  Read, not kept.
 * @throws {ArgumentError} Before anything is simulated: the grid, an option or the trace is out of range, a request is larger than the memory.
 * @throws {DeviceError} backend is "webgpu", and there is no device, or it was lost.  @throws the signal's reason.
 */
export async function sweep(trace: Trace, grid: SweepGrid, o: SweepOptions = {}): Promise<Swept> {
  requireObject("options", o, fields);
  const { backend = "auto", device, shard = { index: 0, count: 1 }, signal, onProgress = () => {} } = o;
  requireCalls(o);
  checkBackend(backend);
  checkShard(shard);
  const settings = gridSettings(grid);
  checkTrace(trace);
  if (trace.requests === 0) throw new ArgumentError("trace", "one request at least", 0);
  signal?.throwIfAborted();
  const labels = labelsOf(settings);
  const plan = planSweep(trace, settings, labels);
  const places = [...labels.keys()].filter((place) => place % shard.count === shard.index);
  const { replays, reason } = await chooseReplays(backend, device, plan, places.length, new Pauses(signal));
  const scenarios = new Map<number, SweptScenario>();
  const done = (place: number, raw: RawScenario) =>
    scenarios.set(place, sweptScenario(plan, labels[place], place, raw, grid.slo !== undefined));
  await replays.run(places, done, onProgress);
  return {
    scenarios: places.map((place) => scenarios.get(place)!),
    ...{ backend: replays.backend, reason, longestDispatch: replays.longestDispatch },
  };
}

function checkShard(shard: { index: number; count: number }): void {
  requireObject("shard", shard, { index: true, count: true });
  const { index, count } = shard;
  if (!(Number.isInteger(count) && count >= 1)) throw new ArgumentError("shard.count", "an integer >= 1", count);
  if (Number.isInteger(index) && index >= 0 && index < count) return;
  throw new ArgumentError("shard.index", `an integer from 0 to ${count - 1}`, index);
}
