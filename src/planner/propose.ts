import type { Random } from "../common/random.ts";
import { type Arrangement, EMPTY, nodeOf } from "./arrangement.ts";
import type { CutPool, Move } from "./cut_pool.ts";

/** Which moves may be made. "relabel": experts trade all their slots, so that the replica graph stays. */
export type MoveKind = "any" | "relabel";

/** Of the proposals, those that follow the prices; the others are made at random, for what the prices do not see. */
const BY_PRICE = 0.5;
/** Of the proposals at random: experts that trade all their slots, and slots given to another expert; the others swap two slots. */
const TRADE = 0.15;
const GIVE = 0.45;
/** Draws until one that fits; a rare miss costs nothing but itself. */
const DRAWS = 8;

/**
 * A move to try: a slot given to another expert, two slots swapped (one may be unused), or two experts trading all their slots. None if the
 * draw makes no legal move. Never puts an expert twice on a GPU, on two nodes, or takes its last slot.
 *
 * The price of a GPU is 1 / v(S) on the bottleneck set S of a batch and 0 outside (src/lp/prices.ts): an expert held only inside S pays, a GPU
 * outside S is free. So the moves that can lower t* give such an expert a slot outside S, or trade it for a lighter one from there.
 */
export function propose(arrangement: Arrangement, pool: CutPool, kind: MoveKind, random: Random): Move | undefined {
  const { slot, copies } = arrangement;
  const { experts } = arrangement.machine;
  if (kind === "relabel") return trade(arrangement, random.below(experts), random.below(experts));
  if (random.next() < BY_PRICE) {
    const pair = byPrice(arrangement, pool, random);
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
  arrangement: Arrangement,
  pool: CutPool,
  random: Random,
): [inside: number, outside: number] | undefined {
  const { slot, gpuOf, machine } = arrangement;
  const cut = pool.bottleneck[random.below(pool.value.length)];
  const isMember = (s: number) => pool.sets.member[cut * machine.gpus + gpuOf[s]] === 1;
  const pays = (s: number) => slot[s] !== EMPTY && pool.outside[slot[s] * pool.sets.capacity + cut] === 0;
  const inside = drawSlot(slot.length, pays, random);
  const outside = drawSlot(slot.length, (s) => !isMember(s), random);
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
  const { slot, gpuOf, copies, machine } = arrangement;
  const gpu = gpuOf[s];
  if (slot[s] === EMPTY || copies[slot[s]] === 1 || arrangement.holds(gpu, e)) return undefined;
  if (machine.nodes > 1 && nodeOf(machine, arrangement.gpuWith(e)) !== nodeOf(machine, gpu)) return undefined;
  return [{ slot: s, expert: e }];
}

function swap(arrangement: Arrangement, s: number, other: number): Move | undefined {
  const { slot, gpuOf, machine } = arrangement;
  const [a, b] = [slot[s], slot[other]];
  const [from, to] = [gpuOf[s], gpuOf[other]];
  if (from === to || a === b) return undefined;
  if (a !== EMPTY && arrangement.holds(to, a)) return undefined;
  if (b !== EMPTY && arrangement.holds(from, b)) return undefined;
  if (nodeOf(machine, from) !== nodeOf(machine, to)) {
    // Across nodes only whole experts may go, and nodes keep the slots they use.
    if (a === EMPTY || b === EMPTY || arrangement.copies[a] > 1 || arrangement.copies[b] > 1) return undefined;
  }
  return [
    { slot: s, expert: b },
    { slot: other, expert: a },
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
