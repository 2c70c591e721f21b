/**
 * Topologies up to relabelling: layers whose experts and GPUs differ in nothing but their names share one specialised pipeline, which looks
 * the names up in a small table. Colour refinement tells GPUs apart; where it cannot, one of the like ones is singled out and the least
 * of the forms that follow is taken. The search is cut short on very symmetric topologies: then equal ones may get two pipelines.
 */

import type { LpForm } from "../text/solve_form.ts";
import type { Component } from "../text/solve_lp.ts";
import { NO_REPLICA, type Topology } from "../topology.ts";
import { proofWords } from "./proof.ts";

export interface CanonicalForm extends LpForm {
  /** Equal for topologies that differ in labels only. */
  readonly key: string;
  /** u32 words of a proof, which has a bit for the caller's dead GPUs, too. */
  readonly proofWords: number;
  readonly labels: Labels;
}

/** The caller's names for the parts of the form. Its GPUs are those that are alive. */
export interface Labels {
  /** [A] */
  readonly gpu: readonly number[];
  /** Per expert of the form, those that were merged into it. */
  readonly expert: readonly (readonly number[])[];
  /** Per expert of the form, merged expert and replica: its physical slots. */
  readonly slot: readonly (readonly (readonly (readonly number[])[])[])[];
  /** [A] per GPU of the form, slots of experts without a choice; on the first one also those that have no replica. */
  readonly single: readonly (readonly Single[])[];
}

export interface Single {
  readonly expert: number;
  readonly slot: number;
  /** Among the expert's slots on this GPU. */
  readonly ordinal: number;
  readonly slots: number;
}

/** Where the parts of a label table begin, in u32 words: whole vec4u each. The singles, a vec4u each, come last. */
export function labelLayout({ shape, slots }: Pick<CanonicalForm, "shape" | "slots">) {
  const whole = (words: number) => Math.ceil(words / 4) * 4;
  const expert = whole(shape.gpus);
  const slot = expert + whole(slots.flat().length);
  const singleStart = slot + whole(slots.flat(2).reduce((a, b) => a + b, 0));
  return { gpu: 0, expert, slot, singleStart, singles: singleStart + whole(shape.gpus + 1) };
}

/** A slot without a replica, empty or on a dead GPU: one of no slots, and not the first, so that it takes nothing and adds nothing. */
const idle = (slot: number): Single => ({ expert: 0, slot, ordinal: 1, slots: 0 });

/** Experts with the same GPUs. */
interface Group {
  gpus: number[];
  experts: number[];
  /** What tells groups apart besides their GPUs: how many experts, and which of them have several slots on a GPU. */
  kind: string;
}

/** Orders that are compared at most. */
const MOST_ORDERS = 64;

export function canonicalForm(topology: Topology): CanonicalForm {
  const groups = groupsOf(topology);
  return formOf(topology, groups, canonicalOrder(groups, [...topology.speed]));
}

/** The form with GPUs in their own order, for who has no use for the key: the search for the canonical one may take longer than all that follows. */
export function ownForm(topology: Topology): CanonicalForm {
  return formOf(topology, groupsOf(topology), [...topology.speed.keys()]);
}

/** @param order  The GPUs. */
function formOf(topology: Topology, groups: readonly Group[], order: readonly number[]): CanonicalForm {
  const { gpus, allGpus, label, slots, slotReplica, slotOrdinal, replicaStart, replicaGpu, replicaSlots } = topology;
  const mean = topology.speed.reduce((a, b) => a + b) / gpus;
  const place = new Array<number>(gpus);
  for (const [i, g] of order.entries()) place[g] = i;

  const placed = placedGroups(groups, place);
  const experts = placed.map(({ gpus }) => gpus);
  const speed = order.map((g) => topology.speed[g] / mean);
  const slotsOf: number[][] = Array.from({ length: replicaGpu.length }, () => []);
  const single: Single[][] = order.map(() => []);
  for (let p = 0; p < slots; p++) {
    if (slotReplica[p] === NO_REPLICA) single[0].push(idle(p));
    else slotsOf[slotReplica[p]].push(p);
  }
  const replicaOn = (e: number, g: number) => replicaGpu.indexOf(g, replicaStart[e]);
  // Merged experts differ in nothing but their slots on each GPU: in that order.
  const merged = placed.map(({ gpus: on, experts: members }) =>
    members
      .map((expert) => ({ expert, slots: on.map((i) => slotsOf[replicaOn(expert, order[i])]) }))
      .sort((a, b) => compareLists(counted(a.slots), counted(b.slots))),
  );
  const slot = merged.map((members) => members.map((member) => member.slots));
  for (let e = 0; e < topology.experts; e++) {
    const r = replicaStart[e];
    if (replicaStart[e + 1] - r !== 1) continue;
    for (const p of slotsOf[r]) {
      single[place[replicaGpu[r]]].push({ expert: e, slot: p, ordinal: slotOrdinal[p], slots: replicaSlots[r] });
    }
  }
  const counts = slot.map((members) => members.map(counted));
  const words = proofWords(allGpus);
  return {
    key: JSON.stringify([speed, experts, counts, words]),
    shape: { gpus, speed, experts, components: components(speed, experts) },
    slots: counts,
    proofWords: words,
    labels: {
      gpu: order.map((g) => label[g]),
      expert: merged.map((members) => members.map(({ expert }) => expert)),
      slot,
      single,
    },
  };
}

function groupsOf({ experts, replicaStart, replicaGpu, replicaSlots }: Topology): Group[] {
  const byGpus = new Map<string, { group: Group; counts: string[] }>();
  for (let e = 0; e < experts; e++) {
    const replicas = Array.from({ length: replicaStart[e + 1] - replicaStart[e] }, (_, i) => replicaStart[e] + i);
    if (replicas.length < 2) continue;
    replicas.sort((a, b) => replicaGpu[a] - replicaGpu[b]);
    const gpus = replicas.map((r) => replicaGpu[r]);
    const key = gpus.join();
    const known = byGpus.get(key) ?? { group: { gpus, experts: [], kind: "" }, counts: [] };
    byGpus.set(key, known);
    known.group.experts.push(e);
    known.counts.push(
      replicas
        .map((r) => replicaSlots[r])
        .sort((a, b) => a - b)
        .join(),
    );
  }
  return [...byGpus.values()].map(({ group, counts }) => ({ ...group, kind: counts.sort().join(";") }));
}

/** Groups as they read when GPU g is called place[g]. */
function placedGroups(groups: readonly Group[], place: readonly number[]): Group[] {
  return groups
    .map((group) => ({ ...group, gpus: group.gpus.map((g) => place[g]).sort((a, b) => a - b) }))
    .sort((a, b) => compareLists(a.gpus, b.gpus));
}

const counted = (slots: readonly (readonly number[])[]) => slots.map(({ length }) => length);

function compareLists(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

/** The GPUs in the order that a relabelled topology would have them in. */
function canonicalOrder(groups: readonly Group[], speed: readonly number[]): number[] {
  const groupsOn: Group[][] = speed.map(() => []);
  for (const group of groups) for (const g of group.gpus) groupsOn[g].push(group);

  /** Splits classes of GPUs by what they share groups with, until nothing is split. */
  function refine(colour: number[]): number[] {
    for (;;) {
      const seen = new Map<Group, string>();
      for (const group of groups) {
        const colours = group.gpus.map((g) => colour[g]).sort((a, b) => a - b);
        seen.set(group, `${colours.join()}:${group.kind}`);
      }
      const signature = colour.map((own, g) => {
        const around = groupsOn[g].map((group) => seen.get(group)!).sort();
        return `${String(own).padStart(6, "0")}|${around.join("|")}`;
      });
      const next = ranks(signature);
      if (Math.max(...next) === Math.max(...colour)) return next;
      colour = next;
    }
  }

  let best: { key: string; order: number[] } | undefined;
  let tried = 0;
  function search(colour: number[]): void {
    const classes = new Map<number, number[]>();
    for (const [g, own] of colour.entries()) classes.set(own, [...(classes.get(own) ?? []), g]);
    // GPUs without a choice for any expert are alike whatever their order.
    const several = [...classes.entries()]
      .filter(([, like]) => like.length > 1 && groupsOn[like[0]].length > 0)
      .sort(([a], [b]) => a - b);
    if (several.length > 0) {
      const [own, like] = several[0];
      for (const first of like) {
        if (tried >= MOST_ORDERS) return;
        // Doubled, so that there is a place before the others of its class.
        search(refine(ranks(colour.map((c, g) => 2 * c + (c === own && g !== first ? 1 : 0)))));
      }
      return;
    }
    tried++;
    const order = [...colour.keys()].sort((a, b) => colour[a] - colour[b] || a - b);
    const place = new Array<number>(order.length);
    for (const [i, g] of order.entries()) place[g] = i;
    const key = JSON.stringify(placedGroups(groups, place).map(({ gpus, kind }) => [gpus, kind]));
    if (!best || key < best.key) best = { key, order };
  }
  search(refine(ranks([...speed])));
  return best!.order;
}

/** The rank of each value among the different ones. */
function ranks<T extends number | string>(values: readonly T[]): number[] {
  const sorted = [...new Set(values)].sort((a, b) => (a < b ? -1 : 1));
  const rank = new Map(sorted.map((value, i) => [value, i]));
  return values.map((value) => rank.get(value)!);
}

function components(speed: readonly number[], experts: readonly (readonly number[])[]): Component[] {
  const leader = speed.map((_, g) => g);
  const find = (g: number): number => (leader[g] === g ? g : find(leader[g]));
  for (const gs of experts) for (const g of gs) leader[find(g)] = find(gs[0]);
  return [...speed.keys()]
    .filter((g) => find(g) === g)
    .map((top) => {
      const gpus = [...speed.keys()].filter((g) => find(g) === top);
      const own = [...experts.keys()].filter((e) => find(experts[e][0]) === top);
      const local = own.map((e) => experts[e].map((g) => gpus.indexOf(g)));
      return { gpus, experts: own, own: { experts: local, speed: gpus.map((g) => speed[g]) } };
    });
}
