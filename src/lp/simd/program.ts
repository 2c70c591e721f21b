/** The text of a solve as a WebAssembly program, four LPs at a time, and where it finds and leaves them. */

import { MAX_TOKENS } from "../../common/numbers.ts";
import type { CanonicalForm, Single } from "../kernels/canonical.ts";
import { masked } from "../text/masked.ts";
import type { CapsOf } from "../text/push_relabel.ts";
import { evenCaps, solveForm, toSlots } from "../text/solve_form.ts";
import type { Topology } from "../topology.ts";
import { type Recording, type Rows, recording, usedSteps, type Value } from "./recording.ts";
import { LANES, wasmModule } from "./wasm.ts";

/** The program's memory: rows of `lps` LPs as the caller has them, row-major. */
export interface Layout {
  /** [lps, E], [lps, A] i32, read. */
  readonly load: Rows;
  readonly base: Rows;
  /** [lps, P] i32, [lps, A] u8, and two times [lps] i32, written. */
  readonly quota: Rows;
  readonly member: Rows;
  readonly sweeps: Rows;
  readonly moves: Rows;
  readonly question: Question;
  readonly bytes: number;
}

/** What the host is asked at unequal speeds, where it lies in memory, all lanes of a number together: 16 bytes each. */
export interface Question {
  /** 1 in lanes that ask. */
  readonly asks: number;
  /** Tokens inside a set of GPUs, and the set, of 0 and 1 for each GPU of the form. */
  readonly inside: number;
  readonly set: number;
  /** The answer: what each GPU may hold. */
  readonly caps: number;
}

export const LANES_BYTES = 4 * LANES;

export interface Program {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly layout: Layout;
  /** What compiling it costs. */
  readonly steps: number;
}

type Lane = ReturnType<typeof masked<Value>>;

/** @throws {TooLong} It takes more than `most` steps. */
export function simdProgram(topology: Topology, form: CanonicalForm, lps: number, most: number): Program {
  const layout = layoutOf(topology, lps);
  const r = recording(most);
  const c = masked(r);
  const living = livingOf(topology, form);
  const load = (e: number) => r.gather(layout.load, e);
  const alone = form.labels.single.map((singles, g) =>
    c.sum([r.gather(layout.base, living[g]), ...serveSingles(r, c, layout, singles)]),
  );
  const loads = form.labels.expert.map((members) => members.map(load));
  const caps = topology.equalSpeeds ? evenCaps(c) : hostCaps(r, c, layout.question, alone);
  const answer = solveForm(c, form, alone, loads, caps);
  const slots = form.labels.slot.flat(3);
  for (const [i, quota] of answer.quotas.flat(3).entries()) r.scatter(layout.quota, slots[i], quota);
  for (const [g, m] of answer.member.entries()) r.scatter(layout.member, living[g], m);
  r.scatter(layout.sweeps, 0, answer.sweeps);
  r.scatter(layout.moves, 0, answer.moves);
  const steps = usedSteps(r.steps);
  return { bytes: wasmModule(steps, layout.bytes), layout, steps: steps.length };
}

/** [G] the living GPU that each of the form is. */
export function livingOf({ label }: Topology, { labels }: CanonicalForm): number[] {
  return labels.gpu.map((g) => label.indexOf(g));
}

function layoutOf({ experts, gpus, slots }: Topology, lps: number): Layout {
  let bytes = 0;
  const take = (size: number) => {
    bytes += size;
    return bytes - size;
  };
  const rows = (columns: number, unit: 1 | 4): Rows => ({
    start: take(lps * columns * unit),
    width: columns * unit,
    unit,
  });
  const words = {
    load: rows(experts, 4),
    base: rows(gpus, 4),
    quota: rows(slots, 4),
    sweeps: rows(1, 4),
    moves: rows(1, 4),
  };
  const question = {
    asks: take(LANES_BYTES),
    inside: take(LANES_BYTES),
    set: take(gpus * LANES_BYTES),
    caps: take(gpus * LANES_BYTES),
  };
  return { ...words, question, member: rows(gpus, 1), bytes };
}

/** Writes the quotas of the experts on a GPU that have no choice, and returns their tokens. */
function serveSingles(r: Recording, c: Lane, layout: Layout, singles: readonly Single[]): Value[] {
  const tokens: Value[] = [];
  let shares: Value[] = [];
  for (const { expert, slot, ordinal, slots } of singles) {
    if (slots === 0) {
      r.scatter(layout.quota, slot, c.whole(0));
      continue;
    }
    if (ordinal === 0) {
      tokens.push(r.gather(layout.load, expert));
      shares = toSlots(c, tokens[tokens.length - 1], slots);
    }
    r.scatter(layout.quota, slot, shares[ordinal]);
  }
  return tokens;
}

/** By src/lp/cut.ts on the host, in f64: times of whole tokens at unequal speeds are none of a lane's business. */
function hostCaps(
  r: Recording,
  c: Lane,
  { asks, inside, set, caps }: Question,
  alone: readonly Value[],
): CapsOf<Value> {
  // No room that overflows, and no less than what sends away all tokens that have a choice.
  const most = alone.map((load) => c.sum([c.whole(MAX_TOKENS), c.min(load, c.whole(0))]));
  const least = alone.map((load) => c.sub(load, c.whole(1)));
  return (tokens, member) => {
    r.store(asks, c.select(c.mask(), c.whole(1), c.whole(0)));
    r.store(inside, tokens);
    for (const [g, m] of member.entries()) r.store(set + g * LANES_BYTES, m);
    r.call();
    return member.map((_, g) => c.max(c.min(r.load(caps + g * LANES_BYTES), most[g]), least[g]));
  };
}
