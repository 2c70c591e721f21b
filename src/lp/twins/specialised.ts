import { cutBound, wholeTokensBy } from "../cut.ts";
import { type CanonicalForm, canonicalForm, type Labels } from "../kernels/canonical.ts";
import type { Loads } from "../problem.ts";
import { numbers } from "../text/field.ts";
import { type LpAnswer, solveLp } from "../text/solve_lp.ts";
import type { Topology } from "../topology.ts";

/** In the labels of the form, whose experts are the caller's with a choice, merged where they have the same GPUs. */
export interface SpecialisedSolution extends LpAnswer<number, boolean> {
  /** Whole tokens of each expert of the form. */
  tokens: number[];
  maxLoad: number;
}

/**
 * Twin of shaders/lp/specialised.wgsl on LP `lp` of whole-token loads, in f64: the text of the kernel, run on numbers. Caps follow the speeds
 * themselves. In another form it is the twin of what was made of that.
 */
export function specialised(
  topology: Topology,
  { shape, labels }: CanonicalForm = canonicalForm(topology),
): (loads: Loads, lp: number) => SpecialisedSolution {
  const speed = labels.gpu.map((g) => topology.speed[g]);
  const capsOf = (inside: number, member: readonly number[]) => {
    const speeds = speed.filter((_, g) => member[g] === 1);
    const t = cutBound(inside, speeds, "integer");
    return speed.map((v) => wholeTokensBy(t, v));
  };
  return (loads, lp) => {
    const { alone, loads: members } = loadsOfForm(topology, labels, loads, lp);
    const tokens = members.map((merged) => merged.reduce((a, b) => a + b));
    const answer = solveLp(numbers, shape, alone, tokens, capsOf);
    const held = [...alone];
    for (const [e, gs] of shape.experts.entries()) for (const [r, g] of gs.entries()) held[g] += answer.kept[e][r];
    return { ...answer, tokens, maxLoad: Math.max(...held.map((amount, g) => amount / speed[g])) };
  };
}

/** One LP in the labels of a form: tokens without a choice on each GPU, and those of each expert of the form and caller's expert. */
export function loadsOfForm(
  { gpus, experts }: Topology,
  { gpu, single, expert }: Labels,
  { expertLoad, baseLoad }: Loads,
  lp: number,
): { alone: number[]; loads: number[][] } {
  const load = (e: number) => expertLoad[lp * experts + e];
  const alone = gpu.map((g, i) => {
    const first = single[i].filter(({ ordinal }) => ordinal === 0);
    return first.reduce((sum, one) => sum + load(one.expert), baseLoad ? baseLoad[lp * gpus + g] : 0);
  });
  return { alone, loads: expert.map((merged) => merged.map(load)) };
}
