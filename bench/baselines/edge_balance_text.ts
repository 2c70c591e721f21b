/** Edge balancing over any Code: the method of edge_balance.wgsl for one topology, in tokens. */
import type { Code } from "../../src/lp/text/field.ts";
import { colouredPairs, MAX_SWEEPS, TOLERANCE } from "./edge_balance.ts";
import type { Choices } from "./simd_text.ts";

const HUGE = 1e30;

/** Experts on the same GPUs are one, as in our own text, and get its tokens in proportion to their loads. @returns real tokens. */
export function balanceEdgesText<S, B>(
  c: Code<S, B>,
  { gpus, experts }: Choices,
  fixed: readonly S[],
  tokens: readonly S[],
): S[][] {
  const groups = new Map<string, number[]>();
  for (const [e, gs] of experts.entries()) {
    const key = gs.toSorted((a, b) => a - b).join();
    groups.set(key, [...(groups.get(key) ?? []), e]);
  }
  const x: S[][] = new Array(experts.length);
  const members = [...groups.values()];
  const merged = members.map(([first]) => experts[first]);
  const together = members.map((own) => c.sum(own.map((e) => tokens[e])));
  for (const [i, row] of balanceChoices(c, { gpus, experts: merged }, fixed, together).entries()) {
    const all = c.max(c.real(together[i]), c.constant(1));
    for (const e of members[i]) {
      const onGpu = (g: number) => row[merged[i].indexOf(g)];
      const share = members[i].length === 1 ? undefined : c.div(c.real(tokens[e]), all);
      x[e] = experts[e].map((g) => (share === undefined ? onGpu(g) : c.mul(onGpu(g), share)));
    }
  }
  return x;
}

function balanceChoices<S, B>(
  c: Code<S, B>,
  { gpus, experts }: Choices,
  fixed: readonly S[],
  tokens: readonly S[],
): S[][] {
  const zero = c.constant(0);
  const w = tokens.map((all) => c.real(all));
  const tolerance = c.mul(c.real(c.sum([...fixed, ...tokens])), c.constant(TOLERANCE / gpus));
  const even = experts.map((gs, e) => c.mul(w[e], c.constant(1 / gs.length)));
  const terms = fixed.map((load) => [c.real(load)]);
  for (const [e, gs] of experts.entries()) for (const g of gs) terms[g].push(even[e]);
  const load = terms.map((loads) => c.variable(c.sum(loads)));
  // The last replica has what the others leave.
  const others = experts.map((gs, e) => gs.slice(1).map(() => c.variable(even[e])));
  const split = () =>
    others.map((row, e) => {
      const x = row.map((amount) => amount.get());
      return [...x, c.sub(w[e], c.sum(x))];
    });

  const largest = c.variable(c.constant(HUGE));
  const sweeps = c.variable(c.whole(0));
  c.loop(
    () => c.and(c.less(tolerance, largest.get()), c.less(sweeps.get(), c.whole(MAX_SWEEPS))),
    () => {
      const x = split();
      const at = load.map((value) => value.get());
      let [most, least] = [zero, zero];
      for (const [e, i, j] of pairsOf(experts)) {
        const [from, to] = [experts[e][i], experts[e][j]];
        const both = experts[e].length === 2 ? w[e] : c.sum([x[e][i], x[e][j]]);
        const wanted = c.mul(c.sub(at[from], at[to]), c.constant(1 / 2));
        const kept = c.min(c.max(c.sub(x[e][i], wanted), zero), both);
        const moved = c.sub(x[e][i], kept);
        x[e][i] = kept;
        x[e][j] = c.sub(both, kept);
        at[from] = c.sub(at[from], moved);
        at[to] = c.sum([at[to], moved]);
        most = c.max(most, moved);
        least = c.min(least, moved);
      }
      for (const [g, value] of load.entries()) value.set(at[g]);
      for (const [e, row] of others.entries()) for (const [i, amount] of row.entries()) amount.set(x[e][i]);
      largest.set(c.max(most, c.sub(zero, least)));
      sweeps.set(c.sum([sweeps.get(), c.whole(1)]));
    },
  );
  return split();
}

/** Pairs of replicas in the order of colours: expert, then two of its replicas. */
function pairsOf(experts: readonly (readonly number[])[]): [e: number, i: number, j: number][] {
  const start = [0];
  for (const gs of experts) start.push(start[start.length - 1] + gs.length);
  const replicaGpu = Int32Array.from(experts.flat());
  const gpus = Math.max(...replicaGpu) + 1;
  const coloured = colouredPairs({ experts: experts.length, gpus, replicaStart: Int32Array.from(start), replicaGpu });
  return coloured.flat().map(([from, to]) => {
    const e = start.findLastIndex((first) => first <= from);
    return [e, from - start[e], to - start[e]];
  });
}
