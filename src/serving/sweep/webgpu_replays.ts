import { DeviceError } from "../../common/errors.ts";
import type { Pauses } from "../../common/pauses.ts";
import { createJob } from "../../gpu/job.ts";
import { bind, type CompiledKernel } from "../../gpu/pipeline.ts";
import {
  compileReplay,
  OUTCOME_WORDS,
  packArrivals,
  packEstimates,
  packRequests,
  packScenarios,
  replayGrid,
  replayParams,
  stateWords,
  unpackOutcome,
} from "../kernels/replay.ts";
import type { ReplayProgress, Replays } from "./replays.ts";
import type { SweepPlan } from "./scenarios.ts";
import type { RawScenario } from "./swept.ts";

/** Bytes of the states of scenarios that run at once. */
const MOST_STATE_BYTES = 2 ** 29;
/** ms that a dispatch is to take: a GPU that draws a screen stays at it, and none is taken for hung. */
const SHORT_MS = 40;
const LONG_MS = 160;
/** Steps, and requests and workers that are looked at in a scenario, in a dispatch: at first, and at most. */
const FIRST_BUDGET = 2 ** 12;
const MOST_BUDGET = 2 ** 26;
/** Tokens of all requests, so that no sum of them is more than the kernel's words hold. */
const MOST_TOKENS = 2 ** 31;
const PROGRESS_UNIT = 256;

/** Why a device does not take a plan; undefined where it does. */
export function replayRefuses({ limits }: GPUDevice, { setting, arrivals, estimates }: SweepPlan): string | undefined {
  const { input, output } = setting;
  const n = input.length;
  const tokens = input.reduce((sum, s, i) => sum + s + output[i], 0);
  if (tokens >= MOST_TOKENS) return `the trace has ${tokens} tokens, of 2^31 that the kernel counts`;
  const room = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  const largest = Math.max(8 * n * arrivals.length, 4 * n * estimates.length, 4 * stateWords(n, 1024), 16 * n);
  return largest > room ? `it needs a buffer of ${largest} bytes, of ${room} here` : undefined;
}

/** Thousands of scenarios at once, in dispatches that are short. */
export class WebgpuReplays implements Replays {
  readonly backend = "webgpu";
  longestDispatch = 0;
  private budget = FIRST_BUDGET;

  private constructor(
    private readonly device: GPUDevice,
    private readonly kernel: CompiledKernel,
    private readonly plan: SweepPlan,
    private readonly pauses: Pauses,
  ) {}

  /** @throws {DeviceError} The device does not take the plan. */
  static async create(device: GPUDevice, plan: SweepPlan, pauses: Pauses): Promise<WebgpuReplays> {
    const reason = replayRefuses(device, plan);
    if (reason) throw new DeviceError(`This device does not replay it: ${reason}. Ask for backend "cpu".`);
    return new WebgpuReplays(device, await compileReplay(device), plan, pauses);
  }

  async run(places: readonly number[], onDone: (place: number, raw: RawScenario) => void, onProgress: ReplayProgress) {
    const { setting, scenarios } = this.plan;
    const { maxStorageBufferBindingSize, maxBufferSize } = this.device.limits;
    const bytes = Math.min(maxStorageBufferBindingSize, maxBufferSize, MOST_STATE_BYTES);
    const workers = places.reduce((most, place) => Math.max(most, scenarios[place].workers), 1);
    const stride = stateWords(setting.input.length, workers);
    const most = Math.max(1, Math.floor(bytes / 4 / Math.max(stride, OUTCOME_WORDS)));
    for (let first = 0; first < places.length; first += most) {
      const batch = places.slice(first, first + most);
      await this.runBatch(batch, stride, onDone, (share) => onProgress((first + share * batch.length) / places.length));
    }
  }

  private async runBatch(
    places: readonly number[],
    stride: number,
    onDone: (place: number, raw: RawScenario) => void,
    onProgress: ReplayProgress,
  ): Promise<void> {
    const { device, kernel, plan, pauses } = this;
    const { setting } = plan;
    const contents = {
      requests: packRequests(setting),
      arrivals: packArrivals(plan.arrivals),
      estimates: packEstimates(plan.estimates),
      scenarios: packScenarios(places.map((place) => plan.scenarios[place])),
      state: 4 * stride * places.length,
      outcome: 4 * OUTCOME_WORDS * places.length,
      progress: 8,
      params: replayParams(setting, { scenarios: places.length, stride, budget: this.budget }),
    };
    const job = createJob(device, contents, {
      label: "sweep",
      remedy: 'Ask again, or with backend "cpu".',
      outputs: ["progress", "outcome"],
    });
    const group = bind(device, kernel, job.bindings);
    const record = (encoder: GPUCommandEncoder) => {
      encoder.clearBuffer(job.buffers.progress);
      const pass = encoder.beginComputePass({ label: kernel.label });
      pass.setPipeline(kernel.pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(...replayGrid(device, places.length));
      pass.end();
    };
    try {
      for (let left = places.length; left > 0; ) {
        const params = replayParams(setting, { scenarios: places.length, stride, budget: this.budget });
        const begun = performance.now();
        const [unfinished, come] = await job.run(
          { upload: { params }, record, bytes: { outcome: 0 } },
          ({ progress }) => [...progress],
        );
        this.adapt(performance.now() - begun);
        pauses.rested();
        pauses.signal?.throwIfAborted();
        left = unfinished;
        onProgress((places.length - left + come / PROGRESS_UNIT) / places.length);
      }
      await job.run({ record: () => {} }, ({ outcome }) => {
        for (const [k, place] of places.entries())
          onDone(place, unpackOutcome(outcome.subarray(k * OUTCOME_WORDS, (k + 1) * OUTCOME_WORDS)));
      });
    } finally {
      job.destroy();
    }
  }

  private adapt(ms: number): void {
    this.longestDispatch = Math.max(this.longestDispatch, ms);
    if (ms < SHORT_MS) this.budget = Math.min(MOST_BUDGET, 2 * this.budget);
    if (ms > LONG_MS) this.budget = Math.max(1, Math.floor(this.budget / 2));
  }
}
