import type { Random } from "../common/random.ts";
import { type Arrangement, EMPTY, nodeOf } from "./arrangement.ts";

/** Slots, and what comes into each. */
export type Move = readonly { slot: number; expert: number }[];

/** What proves the imbalance of each scenario: a set S of GPUs, which pay for every token that must be served there. */
export interface Bottlenecks {
  readonly scenarios: number;
  /** Whether the GPU is in S. */
  isMember(scenario: number, gpu: number): boolean;
  /** Whether the expert has all its slots on GPUs of S. */
  pays(scenario: number, expert: number): boolean;
}

/** Which moves may be made. "relabel": experts trade all their slots, so that the replica graph stays. */
export type MoveKind = "any" | "relabel";

/** Where no slot more may move, of the proposals those that take one back. */
const TAKE_BACK = 0.5;
/** Of the proposals, those that follow the prices; the others are made at random, for what the prices do not see. */
const BY_PRICE = 0.5;
/** Of the proposals at random: experts that trade all their slots, and slots given to another expert; the others swap two slots. */
const TRADE = 0.15;
const GIVE = 0.45;
/** Draws until one that fits; a rare miss costs nothing but itself. */
const DRAWS = 8;

/**
 * A move to try: a slot given to another expert, two slots swapped (one may be unused), or two experts trading all their slots; `full`, where as many
 * slots have moved as may, also one taken back. None if the draw makes no legal move. Never puts an expert where the machine does not let it be, or
 * takes its last slot.
 *
 * The price of a GPU is 1 / v(S) on the bottleneck set S of a batch and 0 outside (src/lp/prices.ts): an expert held only inside S pays, a GPU
 * outside S is free. So the moves that can lower t* give such an expert a slot outside S, or trade it for a lighter one from there.
 */
export function propose(
  arrangement: Arrangement,
  bottlenecks: Bottlenecks,
  kind: MoveKind,
  random: Random,
  full = false,
): Move | undefined {
  const { slot, copies } = arrangement;
  const { experts } = arrangement.machine;
  if (kind === "relabel") return trade(arrangement, random.below(experts), random.below(experts));
  if (full && random.next() < TAKE_BACK) {
    const moved = drawSlot(slot.length, (s) => arrangement.hasMoved(s), random);
    return moved === undefined ? undefined : takeBack(arrangement, moved, random.below(slot.length), random);
  }
  if (random.next() < BY_PRICE) {
    const pair = byPrice(arrangement, bottlenecks, random);
    if (pair) {
      const [inside, outside] = pair;
      const holder = slot[outside];
      const toGive = holder !== EMPTY && copies[holder] > 1 && random.next() < 0.5;
      return toGive ? give(arrangement, outside, slot[inside]) : swap(arrangement, inside, outside);
    }
  }
  const draw = random.next();
  if (draw < TRADE) return trade(arrangement, random.below(experts), random.below(experts));
  if (draw < TRADE + GIVE) return give(arrangement, random.below(slot.length), random.below(experts));
  return swap(arrangement, random.below(slot.length), random.below(slot.length));
}

/** A slot whose expert pays in some batch, and a slot on a GPU that is free then. */
function byPrice(
  { slot, gpuOf }: Arrangement,
  bottlenecks: Bottlenecks,
  random: Random,
): [inside: number, outside: number] | undefined {
  const scenario = random.below(bottlenecks.scenarios);
  const pays = (s: number) =>
    bottlenecks.isMember(scenario, gpuOf[s]) && slot[s] !== EMPTY && bottlenecks.pays(scenario, slot[s]);
  const inside = drawSlot(slot.length, pays, random);
  const outside = drawSlot(slot.length, (s) => !bottlenecks.isMember(scenario, gpuOf[s]), random);
  return inside === undefined || outside === undefined ? undefined : [inside, outside];
}

function drawSlot(slots: number, fits: (slot: number) => boolean, random: Random): number | undefined {
  for (let i = 0; i < DRAWS; i++) {
    const slot = random.below(slots);
    if (fits(slot)) return slot;
  }
  return undefined;
}

/** Slot s, held by an expert with another slot, goes to expert e. */
function give(arrangement: Arrangement, s: number, e: number): Move | undefined {
  const { slot, gpuOf, copies } = arrangement;
  if (slot[s] === EMPTY || copies[slot[s]] === 1 || !arrangement.mayTake(gpuOf[s], e)) return undefined;
  return [{ slot: s, expert: e }];
}

function swap(arrangement: Arrangement, s: number, other: number): Move | undefined {
  const { slot, gpuOf, machine } = arrangement;
  const [a, b] = [slot[s], slot[other]];
  const [from, to] = [gpuOf[s], gpuOf[other]];
  if (from === to || a === b) return undefined;
  if (a !== EMPTY && !arrangement.mayTake(to, a, s)) return undefined;
  if (b !== EMPTY && !arrangement.mayTake(from, b, other)) return undefined;
  // Nodes that share no expert keep the slots they use.
  const uneven = (a === EMPTY || b === EMPTY) && nodeOf(machine, from) !== nodeOf(machine, to);
  if (uneven && machine.replicas === "within-node") return undefined;
  return [
    { slot: s, expert: b },
    { slot: other, expert: a },
  ];
}

/** An expert that came to a slot goes to another instead, whose own has more; the slot gets back one that its GPU held before. */
function takeBack(arrangement: Arrangement, s: number, other: number, random: Random): Move | undefined {
  const { slot, gpuOf, copies } = arrangement;
  const missing = arrangement.missing(gpuOf[s]);
  if (missing.length === 0 || s === other) return undefined;
  const [a, b] = [random.pick(missing), slot[s]];
  if (slot[other] === EMPTY || slot[other] === a || copies[slot[other]] === 1) return undefined;
  if (!arrangement.mayTake(gpuOf[s], a) || !arrangement.mayTake(gpuOf[other], b, s)) return undefined;
  return [
    { slot: s, expert: a },
    { slot: other, expert: b },
  ];
}

/** Experts a and b trade all slots but those on GPUs that hold both. */
function trade(arrangement: Arrangement, a: number, b: number): Move | undefined {
  const { slot, gpuOf } = arrangement;
  const move: { slot: number; expert: number }[] = [];
  if (a === b) return undefined;
  for (let s = 0; s < slot.length; s++) {
    if (slot[s] === a && !arrangement.holds(gpuOf[s], b)) move.push({ slot: s, expert: b });
    if (slot[s] === b && !arrangement.holds(gpuOf[s], a)) move.push({ slot: s, expert: a });
  }
  return move.length > 0 ? move : undefined;
}
