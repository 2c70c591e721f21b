import { LoadError } from "../../common/errors.ts";
import { MAX_TOKENS } from "../../common/numbers.ts";
import { ofLayer } from "../../placement/per_layer.ts";
import type { CheckedHistory } from "../../planner/history.ts";
import type { LayerTime } from "./layer_time.ts";
import { ScaledLoads } from "./scaled_loads.ts";

/** A layer's experts in one recorded step. */
interface Recorded {
  layer: number;
  /** [E] */
  loads: Float64Array;
  sum: number;
}

/** How long the MoE layers of each step take. */
export class ExpertTimes {
  /** Of the recorded steps that have any tokens: the layers that do. */
  private readonly rows: Recorded[][] = [];
  private readonly scaled: ScaledLoads;
  /** What has been found, by row and tokens. */
  private readonly known = new Map<number, number>();

  /**
   * @param layerTimes  of each layer, or one for all, in units of `unit` s.  @param topK  Experts of a token.
   * @param firstRow  The row of step 0.
   * @throws {LoadError} The history has no tokens.
   */
  constructor(
    history: CheckedHistory,
    private readonly layerTimes: readonly LayerTime[],
    private readonly unit: number,
    private readonly topK: number,
    private readonly firstRow: number,
  ) {
    const { steps, layers, experts, loads: all } = history;
    this.scaled = new ScaledLoads(experts);
    for (let step = 0; step < steps; step++) {
      const row: Recorded[] = [];
      for (let layer = 0; layer < layers; layer++) {
        const at = (step * layers + layer) * experts;
        const loads = Float64Array.from({ length: experts }, (_, e) => all[at + e]);
        const sum = loads.reduce((a, b) => a + b);
        if (sum > 0) row.push({ layer, loads, sum });
      }
      if (row.length > 0) this.rows.push(row);
    }
    if (this.rows.length === 0) throw new LoadError("experts.history.loads", "at least one step with tokens", 0);
  }

  /** s that the MoE layers of a step take, in which so many tokens pass through them. */
  secondsOf(step: number, tokens: number): number {
    const { rows, known } = this;
    const row = (this.firstRow + step) % rows.length;
    const key = tokens * rows.length + row;
    let seconds = known.get(key);
    if (seconds === undefined) {
      seconds = this.timeOf(rows[row], tokens) * this.unit;
      known.set(key, seconds);
    }
    return seconds;
  }

  private timeOf(row: readonly Recorded[], tokens: number): number {
    const { scaled, layerTimes } = this;
    const total = tokens * this.topK;
    if (total > MAX_TOKENS) throw new LoadError("experts", `at most ${MAX_TOKENS} tokens x topK in a step`, total);
    let time = 0;
    for (const { layer, loads, sum } of row) {
      scaled.scale(loads, sum, total);
      time += ofLayer(layerTimes, layer)(scaled.loads);
    }
    return time;
  }
}
