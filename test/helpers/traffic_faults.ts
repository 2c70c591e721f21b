/** Answers made wrong in one claim about traffic at a time. */
import type { Random } from "../../src/common/random.ts";
import type { ReplicaSolution } from "../../src/index.ts";
import { capsOf, distanceOf, type Transport, transportOf } from "./least_traffic.ts";
import type { SourcedCase } from "./sourced_problems.ts";

export type TrafficSolution = ReplicaSolution &
  Required<Pick<ReplicaSolution, "sourceQuota" | "traffic" | "trafficBound" | "loadLimit" | "potential">>;

/** Where LP `lp` of an answer is. */
export interface Place {
  one: SourcedCase;
  lp: number;
  random: Random;
  transport: Transport;
}

/** Spoils one LP of an answer, and says whether that makes a claim wrong: where it does not apply, or another good answer comes out, it is false. */
export type Fault = (answer: TrafficSolution, place: Place) => boolean;

const rows = ({ one, lp }: Place) => {
  const { gpus, physicalExperts: slots, logicalExperts: experts } = one.problem.placement;
  return {
    slot: (s: number, p: number) => (lp * one.sources + s) * slots + p,
    source: (s: number, e: number) => (lp * one.sources + s) * experts + e,
    gpu: (g: number) => lp * gpus + g,
  };
};

/** All (source, slot) that hold tokens. */
function holding({ sourceQuota }: TrafficSolution, place: Place): [s: number, p: number][] {
  const { slot } = rows(place);
  const { sources, problem } = place.one;
  return Array.from({ length: sources }, (_, s) =>
    Array.from({ length: problem.placement.physicalExperts }, (_, p): [number, number] => [s, p]),
  )
    .flat()
    .filter(([s, p]) => sourceQuota[slot(s, p)] > 0);
}

/** What is big enough to be no rounding: of whole distances 1. */
const unit = ({ one: { kind } }: Place, of: number) => (kind === "fractions" ? 1e-6 * (1 + Math.abs(of)) : 1);

export const faults: Record<string, Fault> = {
  "a token of another source": (answer, place) => {
    const held = holding(answer, place);
    if (held.length === 0 || place.one.sources < 2) return false;
    const [s, p] = place.random.pick(held);
    const { slot } = rows(place);
    answer.sourceQuota[slot(s, p)]--;
    answer.sourceQuota[slot((s + 1) % place.one.sources, p)]++;
    return true;
  },
  "a token of the same source in another slot of the expert": (answer, place) => {
    const held = holding(answer, place);
    if (held.length === 0) return false;
    const [s, p] = place.random.pick(held);
    const { physicalToLogical } = place.one.problem.placement;
    const other = physicalToLogical.findIndex((e, q) => q !== p && e === physicalToLogical[p]);
    if (other < 0) return false;
    const { slot } = rows(place);
    answer.sourceQuota[slot(s, p)]--;
    answer.sourceQuota[slot(s, other)]++;
    return true;
  },
  "a token that is nobody's": (answer, place) => {
    answer.sourceQuota[rows(place).slot(place.random.below(place.one.sources), 0)]++;
    return true;
  },
  "two sources' tokens exchanged": (answer, place) => {
    const { physicalToLogical, gpuOf } = place.one.problem.placement;
    const held = place.random.shuffle(holding(answer, place));
    for (const [s, p] of held) {
      for (const [other, q] of held) {
        if (s === other || p === q || physicalToLogical[p] !== physicalToLogical[q]) continue;
        const far = (source: number, slot: number) => distanceOf(place.one.problem, source, gpuOf[slot]);
        const more = far(s, q) + far(other, p) - far(s, p) - far(other, q);
        const { slot } = rows(place);
        answer.sourceQuota[slot(s, p)]--;
        answer.sourceQuota[slot(s, q)]++;
        answer.sourceQuota[slot(other, q)]--;
        answer.sourceQuota[slot(other, p)]++;
        return Math.abs(more) > 1e-6; // else as good
      }
    }
    return false;
  },
  "traffic lower": (answer, place) => {
    const { traffic, trafficBound } = answer;
    traffic[place.lp] -= unit(place, traffic[place.lp]);
    trafficBound[place.lp] = Math.max(0, traffic[place.lp]);
    return true;
  },
  "traffic higher": ({ traffic }, place) => {
    traffic[place.lp] += unit(place, traffic[place.lp]);
    return true;
  },
  "traffic and bound higher": ({ traffic, trafficBound }, place) => {
    traffic[place.lp] += unit(place, traffic[place.lp]);
    trafficBound[place.lp] = traffic[place.lp];
    return true;
  },
  "traffic NaN": ({ traffic }, { lp }) => {
    traffic[lp] = Number.NaN;
    return true;
  },
  "bound higher": ({ trafficBound }, place) => {
    trafficBound[place.lp] += unit(place, trafficBound[place.lp]);
    return true;
  },
  "bound NaN": ({ trafficBound }, { lp }) => {
    trafficBound[lp] = Number.NaN;
    return true;
  },
  "bound negative": ({ trafficBound }, { lp }) => {
    trafficBound[lp] = -1;
    return true;
  },
  "a GPU's potential positive": ({ potential }, place) => {
    const g = place.random.pick([...place.transport.alive.keys()].filter((g) => place.transport.alive[g]));
    potential.gpu[rows(place).gpu(g)] = unit(place, 0);
    return true;
  },
  "a GPU's potential lower": ({ potential, traffic, loadLimit }, place) => {
    const { alive } = place.transport;
    const cap = capsOf(place.transport, loadLimit[place.lp]);
    const g = place.random.pick([...alive.keys()].filter((g) => alive[g]));
    potential.gpu[rows(place).gpu(g)] -= unit(place, traffic[place.lp]);
    return cap[g] > 0;
  },
  "a GPU's potential NaN": ({ potential }, place) => {
    const { alive } = place.transport;
    potential.gpu[rows(place).gpu(alive.indexOf(true))] = Number.NaN;
    return true;
  },
  "a source's potential higher": ({ potential, traffic }, place) => {
    const { supplies } = place.transport;
    if (supplies.length === 0) return false;
    const { source, expert } = place.random.pick(supplies);
    potential.source[rows(place).source(source, expert)] += unit(place, traffic[place.lp]);
    return true;
  },
  "a source's potential lower": ({ potential, traffic }, place) => {
    const { supplies } = place.transport;
    if (supplies.length === 0) return false;
    const { source, expert } = place.random.pick(supplies);
    potential.source[rows(place).source(source, expert)] -= unit(place, traffic[place.lp]);
    return true;
  },
  "a source's potential NaN": ({ potential }, place) => {
    const { supplies } = place.transport;
    if (supplies.length === 0) return false;
    potential.source[rows(place).source(supplies[0].source, supplies[0].expert)] = Number.NaN;
    return true;
  },
  "the limit below a GPU's load": ({ loadLimit, maxLoad }, { lp }) => {
    loadLimit[lp] = maxLoad[lp] - 1e-3;
    return true;
  },
  "the limit raised, where caps are dear": ({ loadLimit, potential }, place) => {
    const { alive, speed } = place.transport;
    loadLimit[place.lp] += 1.01 / Math.min(...speed); // one more token on each GPU, whatever the rounding
    return alive.some((lives, g) => lives && potential.gpu[rows(place).gpu(g)] < -1e-3);
  },
  "the limit NaN": ({ loadLimit }, { lp }) => {
    loadLimit[lp] = Number.NaN;
    return true;
  },
  "a slot's quota": ({ quota }, place) => {
    quota[place.lp * place.one.problem.placement.physicalExperts]++;
    return true;
  },
};

/** For a case, the LPs that a fault made wrong, and a copy of the answer with it. */
export function spoiled(answer: TrafficSolution, one: SourcedCase, random: Random, fault: Fault) {
  const copy = structuredClone(answer);
  const wrong = Array.from({ length: one.batch }, (_, lp) =>
    fault(copy, { one, lp, random, transport: transportOf(one, lp) }),
  );
  return { copy, wrong };
}
