import { starts } from "../elimination.ts";
import { type GroupForm, groupForm } from "../group_form.ts";
import { NO_REPLICA, type Topology } from "../topology.ts";
import { IDLE_SLOT, pacesOf, roundUp, SLOWEST_PACE, type TopologyTable } from "./topology_table.ts";

/** Topologies as the `group` kernel reads them. */
export interface GroupTable extends TopologyTable {
  /** Entries of the factor below its diagonal, rounded up like the other sizes. */
  readonly maxEntries: number;
  /** Stages of the elimination, the most of any topology. */
  readonly stages: number;
}

/** Longest arrays of the kernel: places, replicas of experts with a choice, entries of the factor. */
export interface GroupSizes {
  maxGpus: number;
  maxReplicas: number;
  maxEntries: number;
}

/** A part of a record: its words, and the room that they have. */
interface Part {
  readonly room: number;
  readonly words: readonly number[];
  /** Words are positions among the lists, which follow the last part. */
  readonly inLists?: true;
}

/** Lists of any length, one after the other. */
class Lists {
  readonly words: number[] = [];
  /** The part that has the starts of these lists, and the end of the last. */
  part(room: number, lists: readonly (readonly number[])[]): Part {
    const first = lists.map((list) => {
      const at = this.words.length;
      this.words.push(...list);
      return at;
    });
    return { room, words: [...first, this.words.length], inLists: true };
  }
}

/** Packs topologies of equal G, E and P, one record each. */
export function groupTable(topologies: readonly Topology[]): GroupTable {
  const forms = topologies.map(groupForm);
  const sizes = sizesOf(forms);
  const records = topologies.map((topology, i) => record(topology, forms[i], sizes));
  const stride = most(records, (words) => words.length);
  const { allGpus: gpus, experts, slots } = topologies[0];
  const stages = most(forms, (form) => form.elimination.stages.length - 1);
  const data = oneAfterTheOther(records, stride);
  return { data, topologies: topologies.length, stride, gpus, experts, slots, stages, ...sizes };
}

/** The records of the same topologies where fewer GPUs are alive, as long as in `whole`; undefined where they do not fit: fill may grow. */
export function groupRecordsWithin(living: readonly Topology[], whole: GroupTable): GroupTable["data"] | undefined {
  const forms = living.map(groupForm);
  const { maxGpus, maxReplicas, maxEntries } = sizesOf(forms);
  if (maxGpus > whole.maxGpus || maxReplicas > whole.maxReplicas || maxEntries > whole.maxEntries) return undefined;
  const records = living.map((topology, i) => record(topology, forms[i], whole));
  if (most(records, (words) => words.length) > whole.stride) return undefined;
  return oneAfterTheOther(records, whole.stride);
}

function most<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((top, value) => Math.max(top, of(value)), 0);
}

function sizesOf(forms: readonly GroupForm[]): GroupSizes {
  const places = most(forms, (form) => form.places);
  const replicas = most(forms, (form) => form.replicas.flat().length);
  const entries = most(forms, (form) => form.elimination.column.flat().length);
  return { maxGpus: roundUp(places, 8), maxReplicas: roundUp(replicas, 32), maxEntries: roundUp(entries, 32) };
}

function oneAfterTheOther(records: readonly (readonly number[])[], stride: number): Uint32Array<ArrayBuffer> {
  const data = new Uint32Array(records.length * stride);
  for (const [i, words] of records.entries()) data.set(words, i * stride);
  return data;
}

/** One record: parts in the order of the constants AT_... of group.wgsl, each with the room it has there; then the lists. */
function record(topology: Topology, form: GroupForm, sizes: GroupSizes): number[] {
  if (topology.replicaGpu.length >= 65536) throw new Error("replicas are numbered by 16 bits"); // far beyond workgroup memory
  const lists = new Lists();
  const parts = [
    ...eliminationParts(form, sizes, lists),
    ...expertParts(form, sizes),
    ...rowParts(topology, form, lists),
    ...slotParts(topology, form, sizes),
  ];
  const end = parts.reduce((sum, { room }) => sum + room, 0);
  const words = parts.flatMap(({ room, words, inLists }) => [
    ...words.map((word) => (inLists ? end + word : word)),
    ...new Array<number>(room - words.length).fill(0),
  ]);
  return [...words, ...lists.words];
}

/** AT_PLACES to AT_UPDATES. */
function eliminationParts(form: GroupForm, { maxGpus, maxEntries }: GroupSizes, lists: Lists): Part[] {
  const { places, rows, replicas, elimination } = form;
  const factor = factorLists(form);
  const onGpu: number[][] = Array.from({ length: places }, () => []);
  for (const [r, k] of replicas.flat().entries()) onGpu[k].push(r);
  const room = maxGpus + 1;
  return [
    { room: 5, words: [places, rows.length, form.fixed ? 1 : 0, replicas.length, elimination.stages.length - 1] },
    { room, words: elimination.stages },
    { room, words: elimination.tasks },
    { room, words: factor.columnStart },
    lists.part(room, factor.rows),
    lists.part(room, onGpu),
    { room: maxEntries, words: elimination.column.flat() },
    lists.part(maxEntries + 1, factor.pairs),
    lists.part(maxEntries + 1, factor.updates),
  ];
}

/** The first replica of each expert with a choice, and the end of the last. */
const replicaStarts = ({ replicas }: GroupForm) => starts(replicas.map((on) => on.length));

/** AT_EXPERT to AT_OWNER. */
function expertParts(form: GroupForm, { maxReplicas }: GroupSizes): Part[] {
  const { experts, replicas } = form;
  const maxExperts = maxReplicas / 2;
  return [
    { room: maxExperts, words: experts },
    { room: maxExperts + 1, words: replicaStarts(form) },
    { room: maxReplicas, words: replicas.flat() },
    { room: maxReplicas, words: replicas.flatMap((on, e) => on.map(() => e)) },
  ];
}

/** AT_LABEL to at_place(). */
function rowParts(topology: Topology, form: GroupForm, lists: Lists): Part[] {
  const { allGpus: gpus, label, speed } = topology;
  const { places, rows } = form;
  const place = new Array<number>(gpus).fill(FIXED_GPU);
  for (let k = 0; k < places; k++) if (rows[k] >= 0) place[label[rows[k]]] = k;
  const paces = pacesOf(speed);
  return [
    { room: gpus + 1, words: rows.map((g) => (g < 0 ? 0 : label[g])) },
    { room: gpus + 1, words: [...new Uint32Array(Float32Array.from(form.speed).buffer)] },
    { room: gpus + 1, words: rows.map((g) => (g < 0 ? SLOWEST_PACE : paces[g])) },
    lists.part(gpus + 2, singleExperts(topology, form)),
    { room: gpus, words: place },
  ];
}

/** at_slot() and at_share(). */
function slotParts(topology: Topology, form: GroupForm, { maxReplicas }: GroupSizes): Part[] {
  const { slots, replicaStart, replicaSlots, slotExpert, slotReplica, slotOrdinal } = topology;
  const start = replicaStarts(form);
  const renumbered = new Map<number, number>(); // the caller's replicas with a choice
  for (const [i, e] of form.experts.entries()) {
    for (let r = replicaStart[e]; r < replicaStart[e + 1]; r++) renumbered.set(r, start[i] + r - replicaStart[e]);
  }
  const sources = [...slotReplica].map((r, p) =>
    r === NO_REPLICA ? IDLE_SLOT : (renumbered.get(r) ?? maxReplicas + slotExpert[p]),
  );
  const shares = [...slotReplica].map((r, p) => (r === NO_REPLICA ? 0 : slotOrdinal[p] + replicaSlots[r] * 65536));
  return [
    { room: slots, words: sources },
    { room: slots, words: shares },
  ];
}

/** FIXED_GPU of group.wgsl. */
const FIXED_GPU = 2 ** 32 - 1;

/** The lists by which a lane gathers what goes into each row and each entry of the factor. Entries are numbered column by column. */
function factorLists({ places, replicas, elimination: { column } }: GroupForm) {
  const columnStart = starts(column.map((reach) => reach.length));
  const entryOf = new Map<number, number>(); // by row * places + column
  const rows: number[][] = column.map(() => []);
  for (const [k, reach] of column.entries()) {
    for (const [n, i] of reach.entries()) {
      entryOf.set(i * places + k, columnStart[k] + n);
      rows[i].push(columnStart[k] + n + k * 65536);
    }
  }
  const entry = (i: number, j: number) => entryOf.get(Math.max(i, j) * places + Math.min(i, j))!;

  const pairs: number[][] = Array.from({ length: columnStart[places] }, () => []);
  let first = 0;
  for (const on of replicas) {
    for (let r = 1; r < on.length; r++) {
      for (let k = 0; k < r; k++) pairs[entry(on[r], on[k])].push(first + r + (first + k) * 65536);
    }
    first += on.length;
  }
  const updates: number[][] = Array.from({ length: columnStart[places] }, () => []);
  for (const [k, reach] of column.entries()) {
    for (const i of reach) {
      for (const j of reach) if (j < i) updates[entry(i, j)].push(entry(i, k) + entry(j, k) * 65536);
    }
  }
  return { columnStart, rows, pairs, updates };
}

/** Load columns of the experts without a choice on each row. */
function singleExperts({ experts, replicaStart, replicaGpu }: Topology, { rows }: GroupForm): number[][] {
  const row = new Map(rows.map((g, i) => [g, i]));
  const singles: number[][] = rows.map(() => []);
  for (let e = 0; e < experts; e++) {
    if (replicaStart[e + 1] - replicaStart[e] === 1) singles[row.get(replicaGpu[replicaStart[e]])!].push(e);
  }
  return singles;
}
