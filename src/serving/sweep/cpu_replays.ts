import type { Pauses } from "../../common/pauses.ts";
import { Replay } from "../twins/replay.ts";
import type { ReplayProgress, Replays } from "./replays.ts";
import type { SweepPlan } from "./scenarios.ts";
import type { RawScenario } from "./swept.ts";

/** Events between two looks at the clock. */
const PIECE = 256;

/** One scenario after the other. */
export class CpuReplays implements Replays {
  readonly backend = "cpu";
  readonly longestDispatch = 0;

  constructor(
    private readonly plan: SweepPlan,
    private readonly pauses: Pauses,
  ) {}

  async run(
    places: readonly number[],
    onDone: (place: number, raw: RawScenario) => void,
    onProgress: ReplayProgress,
  ): Promise<void> {
    const { plan, pauses } = this;
    for (const [k, place] of places.entries()) {
      const { arrivals, estimates, ...policy } = plan.scenarios[place];
      const replay = new Replay(plan.setting, {
        ...policy,
        arrival: plan.arrivals[arrivals],
        estimate: plan.estimates[estimates],
      });
      while (!replay.run(PIECE)) if (pauses.due) await pauses.take();
      onDone(place, replay.replayed);
      onProgress((k + 1) / places.length);
    }
  }
}
