/** Splits of whole tokens to descend from. */
import type { ExactSolver } from "../exact.ts";
import type { Topology } from "../topology.ts";

/** What a split is made from, for one LP. */
export interface Given {
  readonly topology: Topology;
  /** [E] whole tokens of the experts with a choice. */
  readonly expertLoad: Float64Array;
  /** [A] tokens of the others. */
  readonly alone: Float64Array;
  /** [R] work of each replica, had it been divisible. */
  readonly work: Float64Array;
  readonly exact: ExactSolver;
  /** [A] scratch. */
  readonly cut: Uint8Array;
}

/** Writes x [R]. */
export type Start = (given: Given, x: Float64Array) => void;

/** Every expert whole, on the replica with most of its work. */
const wholeWork: Start = ({ topology, expertLoad, work }, x) => {
  const { experts, replicaStart } = topology;
  x.fill(0);
  for (let e = 0; e < experts; e++) {
    let most = replicaStart[e];
    for (let r = most + 1; r < replicaStart[e + 1]; r++) if (work[r] > work[most]) most = r;
    x[most] = expertLoad[e];
  }
};

/** Tokens in proportion to the work. */
const sharesOfWork: Start = ({ topology, expertLoad, work }, x) => {
  const { experts, replicaStart } = topology;
  for (let e = 0; e < experts; e++) {
    let all = 0;
    for (let r = replicaStart[e]; r < replicaStart[e + 1]; r++) all += work[r];
    let left = expertLoad[e];
    for (let r = replicaStart[e]; r + 1 < replicaStart[e + 1]; r++) {
      x[r] = all > 0 ? Math.min(left, Math.round((expertLoad[e] * work[r]) / all)) : 0;
      left -= x[r];
    }
    x[replicaStart[e + 1] - 1] = left;
  }
};

/** The exact answer to the other question. */
const tokenOptimal: Start = ({ expertLoad, alone, exact, cut }, x) => {
  exact.solve({ batch: 1, tokens: "integer", expertLoad, baseLoad: alone }, 0, x, cut);
};

const even: Start = ({ topology, expertLoad }, x) => {
  const { experts, replicaStart } = topology;
  for (let e = 0; e < experts; e++) {
    const copies = replicaStart[e + 1] - replicaStart[e];
    const each = Math.floor(expertLoad[e] / copies);
    const more = expertLoad[e] - each * copies;
    for (let i = 0; i < copies; i++) x[replicaStart[e] + i] = each + (i < more ? 1 : 0);
  }
};

export const starts: readonly Start[] = [wholeWork, sharesOfWork, tokenOptimal, even];
