import { ArgumentError, ShapeError } from "../../common/errors.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";
import type { RequestView, Router, RouterOptions, RoutingPolicy, WorkerView } from "../policy.ts";
import { Assignment } from "./bfio_assignment.ts";
import { fillExact } from "./bfio_exact.ts";
import { fillFast } from "./bfio_fill.ts";
import { Forecast } from "./bfio_forecast.ts";
import { type Fill, newFill } from "./bfio_objective.ts";
import { Requests } from "./bfio_requests.ts";
import { Window } from "./bfio_window.ts";

export interface BfioOptions {
  /** H, steps ahead that are looked at: a whole number >= 0, 8 by default. */
  horizon?: number;
  /** What each step counts of the one before it, in (0, 1]: 1 by default. Below 1 for long horizons, since what refills freed slots is not foreseen. */
  gamma?: number;
  /** What a token of the largest load counts, > 0: by default as many as there are workers, which makes the objective the sum of the idle tokens. */
  beta?: number;
  /** Whether loads are foreseen to grow by a token per step and request, as they do: true by default. False: they stand still, as in the authors' release. */
  growth?: boolean;
  /**
   * What is foreseen of a request that has outlived its prediction: that it "ends" with the next step (default), or that it "stays" beyond the
   * horizon, since its prediction was wrong: better where predictions often fall short.
   */
  overdue?: "ends" | "stays";
  /** Settles each fill by branch and bound: for a few workers and some ten waiting requests. False by default. */
  exact?: boolean;
}

const fields: FieldsOf<BfioOptions> = {
  horizon: true,
  gamma: true,
  beta: true,
  growth: true,
  overdue: true,
  exact: true,
};

/**
 * The imbalance over a run, measured in eight orders of each of four traces, is least for horizons from 2 to 10, by how soon workers' slots
 * fall free: what refills them is not foreseen. With a gamma of 0.8 a horizon of 20 is a little better still; without one it is worse.
 */
const HORIZON = 8;

/** Loads of all steps ahead are kept. */
const MOST_STEPS = 10_000;

/** Of the requests that wait, the earliest so many are looked at. */
const WINDOW = 1024;

/**
 * BF-IO: fills free slots so that the workers' loads stay even over the next H steps, as well as short forecasts tell them.
 *
 *   min sum_{h=0..H} gamma^h (beta max_g L_g(h) - sum_g L_g(h)),   beta = G: the tokens by which workers are below the largest load
 *   L_g(h) = sum over active i of g with r_i > h of (s_i + generated_i + h)  +  sum over newcomers i of g of (s_i + h)
 *
 * over all ways to send min(|W|, free slots) of the waiting requests W to workers with a free slot each and memory for a prompt and a token.
 * Remaining tokens r_i are by prediction, of an interval its middle; without one a request is taken to stay beyond the horizon. Requests
 * wait at the router until a worker has a slot, so `queue: "router"` loses nothing. Where memory binds, what fits nowhere stays and later
 * ones may go before it; no request that would fit is left, but more might have gone in another choice.
 *
 * The fast form (by default) is a heuristic: by nearest fit, then improving exchanges under a fixed budget. It looks at the first 1,024 that
 * wait; large prompts may long be passed over where smaller ones keep loads even. Where workers tell their `steps`, a fill costs O(G H) for
 * the forecast, from the policy's own account of what it has sent: a request is taken to start at the step at which it is sent, predictions
 * to stay as they were. Else it costs O(running). With one worker requests go in order of arrival.
 *
 * @throws {ArgumentError} An option is unknown or out of range; when asked for a fill with `exact`, the fill is too large to be settled.
 * @see Chen et al., arXiv 2601.17855 (the program); arXiv 2605.06113 (F, the gain of a worker's tokens). The algorithm is not the authors'.
 */
export function bfio(options: BfioOptions = {}): RoutingPolicy {
  requireObject("options", options, fields);
  const { horizon = HORIZON, gamma = 1, beta, growth = true, overdue = "ends", exact = false } = options;
  if (!Number.isSafeInteger(horizon) || horizon < 0 || horizon > MOST_STEPS) {
    throw new ArgumentError("options.horizon", `a whole number of steps from 0 to ${MOST_STEPS}`, horizon);
  }
  if (!(gamma > 0 && gamma <= 1)) throw new ArgumentError("options.gamma", "a number in (0, 1]", gamma);
  if (beta !== undefined && !(beta > 0 && Number.isFinite(beta))) {
    throw new ArgumentError("options.beta", "a finite number > 0", beta);
  }
  if (typeof growth !== "boolean") throw new ArgumentError("options.growth", "true or false", growth);
  if (overdue !== "ends" && overdue !== "stays")
    throw new ArgumentError("options.overdue", '"ends" or "stays"', overdue);
  if (typeof exact !== "boolean") throw new ArgumentError("options.exact", "true or false", exact);
  return {
    name: "BF-IO",
    create: ({ workers }: RouterOptions) =>
      new BfioRouter(newFill({ workers, horizon, gamma, beta: beta ?? workers, growth, window: WINDOW }), {
        exact,
        overdueEnds: overdue === "ends",
      }),
  };
}

class BfioRouter implements Router {
  private readonly requests = new Requests();
  private readonly window: Window;
  private readonly forecast: Forecast;
  private readonly assignment: Assignment;

  constructor(
    private readonly fill: Fill,
    private readonly how: { exact: boolean; overdueEnds: boolean },
  ) {
    this.window = new Window(fill, this.requests);
    this.forecast = new Forecast(fill, how.overdueEnds, this.requests);
    this.assignment = new Assignment(fill);
  }

  arrived(r: RequestView): void {
    this.window.push(this.requests.add(r));
  }

  finished(id: number): void {
    const row = this.requests.find(id);
    if (row < 0) return;
    if (this.requests.worker[row] >= 0) this.forecast.finished(row);
    else this.window.withdraw(row);
    this.requests.remove(row);
  }

  assign(workers: readonly WorkerView[], _now: number, out: Int32Array): number {
    const { fill, forecast, assignment } = this;
    if (workers.length !== fill.workers) {
      throw new ShapeError("workers", `as many views as there are workers, ${fill.workers}`, workers.length);
    }
    if (fill.waiting === 0 || !this.measureRoom(workers)) return 0;
    for (let g = 0; g < workers.length; g++) forecast.profile(workers[g], g, fill.load, g * fill.ahead);
    if (this.how.exact) fillExact(assignment);
    else fillFast(assignment);
    let pairs = 0;
    for (let k = 0; k < assignment.count; k++) {
      const p = assignment.chosen[k];
      const g = fill.worker[p];
      const row = this.window.row[p];
      out[pairs++] = this.requests.id[row];
      out[pairs++] = g;
      if (workers[g].steps === undefined) this.requests.remove(row);
      else forecast.started(row, g);
    }
    this.window.removeAssigned();
    return assignment.count;
  }

  /** Whether any that waits fits anywhere. */
  private measureRoom(workers: readonly WorkerView[]): boolean {
    const { fill, forecast } = this;
    let fits = false;
    for (let g = 0; g < workers.length; g++) {
      const { freeSlots, freeKv, waiting, batch } = workers[g];
      let room = freeSlots - waiting;
      // A stale view does not know what has been sent since.
      if (batch !== undefined) room = Math.min(room, freeSlots + batch - forecast.active[g]);
      fill.room[g] = Math.max(room, 0);
      fill.freeKv[g] = freeKv;
      if (room > 0 && fill.prompt[0] + 1 <= freeKv) fits = true;
    }
    return fits;
  }
}
