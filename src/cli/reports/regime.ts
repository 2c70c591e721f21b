import type { Curve } from "../../lp/time/expert_cost.ts";

/** What a recording's experts take their time for. */
export interface Regime {
  /** Reading weights, so that activated experts count; arithmetic, so that tokens do; or both. */
  kind: "memory-bound" | "compute-bound" | "between";
  /** Mean tokens of an expert that has any. */
  tokensPerExpert: number;
  /** So many tokens take as long as one, at the best pace that the cost has: c(1) / min c(x) / x. Undefined where any number takes as long as one. */
  turn?: number;
  /** Share of the experts with tokens that have fewer. */
  below: number;
  /** Share of the experts' time that would be left with a token each: sum of c(1) over sum of c(w), */
  weights: number;
  /** and at the best pace: sum of w min c(x) / x over sum of c(w). */
  arithmetic: number;
}

/** The share that makes the kind. Where both have it, splitting an expert would still read its weights twice. */
const MOST = 0.8;

/** Looks at the loads of experts, in any number of pieces. */
export class RegimeSurvey {
  private readonly pace: number;
  private readonly turn: number;
  private readonly sum = { experts: 0, tokens: 0, below: 0, time: 0 };

  constructor(private readonly curve: Curve) {
    const { points, slope, unit } = curve;
    this.pace = Math.min(slope, ...points.map(([x, time]) => time / x));
    this.turn = unit === 0 ? 0 : unit / this.pace;
  }

  add(loads: ArrayLike<number>): void {
    const { sum, turn, curve } = this;
    for (let i = 0; i < loads.length; i++) {
      if (loads[i] === 0) continue;
      sum.experts++;
      sum.tokens += loads[i];
      sum.time += curve.time(loads[i]);
      if (loads[i] < turn) sum.below++;
    }
  }

  regime(): Regime {
    const { turn, curve, pace } = this;
    const { experts, tokens, below, time } = this.sum;
    const share = (part: number, whole: number) => (whole === 0 ? 0 : part / whole); // of nothing, where all is lost
    const weights = share(experts * curve.unit, time);
    const arithmetic = share(tokens * pace, time);
    const linear = curve.tile === 1; // then there are no weights to read
    return {
      kind: weights >= MOST && !linear ? "memory-bound" : arithmetic >= MOST ? "compute-bound" : "between",
      tokensPerExpert: share(tokens, experts),
      ...(turn === Infinity ? {} : { turn }),
      ...{ below: share(below, experts), weights, arithmetic },
    };
  }
}
