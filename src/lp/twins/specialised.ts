import { cutBound, wholeTokensBy } from "../cut.ts";
import { canonicalForm } from "../kernels/canonical.ts";
import type { Loads } from "../problem.ts";
import { numbers } from "../text/field.ts";
import { type LpAnswer, solveLp } from "../text/solve_lp.ts";
import type { Topology } from "../topology.ts";

/** In the labels of the canonical form, whose experts are the caller's with a choice, merged where they have the same GPUs. */
export interface SpecialisedSolution extends LpAnswer<number, boolean> {
  /** Whole tokens of each expert of the form. */
  tokens: number[];
  maxLoad: number;
}

/**
 * Twin of shaders/lp/specialised.wgsl on LP `lp` of whole-token loads, in f64: the text of the kernel, run on numbers. Caps follow the speeds
 * themselves.
 */
export function specialised(topology: Topology): (loads: Loads, lp: number) => SpecialisedSolution {
  const { gpus, experts } = topology;
  const { shape, labels } = canonicalForm(topology);
  const speed = labels.gpu.map((g) => topology.speed[g]);
  const capsOf = (inside: number, member: readonly number[]) => {
    const speeds = speed.filter((_, g) => member[g] === 1);
    const t = cutBound(inside, speeds, "integer");
    return speed.map((v) => wholeTokensBy(t, v));
  };
  return ({ expertLoad, baseLoad }, lp) => {
    const load = (e: number) => expertLoad[lp * experts + e];
    const alone = labels.gpu.map((g, i) => {
      const first = labels.single[i].filter(({ ordinal }) => ordinal === 0);
      return first.reduce((sum, { expert }) => sum + load(expert), baseLoad ? baseLoad[lp * gpus + g] : 0);
    });
    const tokens = labels.expert.map((merged) => merged.reduce((sum, e) => sum + load(e), 0));
    const answer = solveLp(numbers, shape, alone, tokens, capsOf);
    const held = [...alone];
    for (const [e, gs] of shape.experts.entries()) for (const [r, g] of gs.entries()) held[g] += answer.kept[e][r];
    return { ...answer, tokens, maxLoad: Math.max(...held.map((amount, g) => amount / speed[g])) };
  };
}
