import { starts } from "../elimination.ts";
import { type GroupForm, groupForm } from "../group_form.ts";
import { NO_REPLICA, type Topology } from "../topology.ts";
import { IDLE_SLOT, roundUp, SLOWEST_PACE, type TopologyTable } from "./topology_table.ts";

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

/** Where a list of any length stands in a record: one list after the other, and the start of each. */
class Lists {
  readonly words: number[] = [];
  constructor(private readonly first: number) {}
  /** The starts of the lists, and the end of the last. */
  put(lists: readonly (readonly number[])[]): number[] {
    const starts = lists.map((list) => {
      const start = this.first + this.words.length;
      this.words.push(...list);
      return start;
    });
    return [...starts, this.first + this.words.length];
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
function record(topology: Topology, form: GroupForm, { maxGpus, maxReplicas, maxEntries }: GroupSizes): number[] {
  const { allGpus: gpus, label, slots, replicaStart, replicaGpu, speed } = topology;
  const { replicaSlots, slotExpert, slotReplica, slotOrdinal } = topology;
  const { places, rows, replicas, elimination } = form;
  const maxExperts = maxReplicas / 2;
  const fixedParts = [
    5,
    5 * (maxGpus + 1),
    3 * maxEntries + 2,
    2 * maxExperts + 1,
    2 * maxReplicas,
    4 * gpus + 5,
    gpus,
    2 * slots,
  ];
  const lists = new Lists(fixedParts.reduce((a, b) => a + b));
  const factor = factorLists(form);
  const singles = singleExperts(topology, form);
  const start = starts(replicas.map((on) => on.length));
  const onGpu: number[][] = Array.from({ length: places }, () => []);
  for (const [r, k] of replicas.flat().entries()) onGpu[k].push(r);

  const place = new Array<number>(gpus).fill(FIXED_GPU);
  for (let k = 0; k < places; k++) if (rows[k] >= 0) place[label[rows[k]]] = k;
  const slowest = speed.reduce((a, b) => Math.min(a, b));
  const paceOf = (g: number) => (g < 0 ? SLOWEST_PACE : Math.max(1, Math.round((SLOWEST_PACE * slowest) / speed[g])));
  const renumbered = new Map<number, number>(); // the caller's replicas with a choice
  for (const [i, e] of form.experts.entries()) {
    for (let r = replicaStart[e]; r < replicaStart[e + 1]; r++) renumbered.set(r, start[i] + r - replicaStart[e]);
  }

  const words: number[] = [];
  const put = (room: number, values: readonly number[]) => {
    words.push(...values, ...new Array<number>(room - values.length).fill(0));
  };
  put(5, [places, rows.length, form.fixed ? 1 : 0, replicas.length, elimination.stages.length - 1]);
  put(maxGpus + 1, elimination.stages);
  put(maxGpus + 1, elimination.tasks);
  put(maxGpus + 1, factor.columnStart);
  put(maxGpus + 1, lists.put(factor.rows));
  put(maxGpus + 1, lists.put(onGpu));
  put(maxEntries, elimination.column.flat());
  put(maxEntries + 1, lists.put(factor.pairs));
  put(maxEntries + 1, lists.put(factor.updates));
  put(maxExperts, form.experts);
  put(maxExperts + 1, start);
  put(maxReplicas, replicas.flat());
  put(
    maxReplicas,
    replicas.flatMap((on, e) => on.map(() => e)),
  );
  put(
    gpus + 1,
    rows.map((g) => (g < 0 ? 0 : label[g])),
  );
  put(gpus + 1, [...new Uint32Array(Float32Array.from(form.speed).buffer)]);
  put(gpus + 1, rows.map(paceOf));
  put(gpus + 2, lists.put(singles));
  put(gpus, place);
  put(
    slots,
    [...slotReplica].map((r, p) => (r === NO_REPLICA ? IDLE_SLOT : (renumbered.get(r) ?? maxReplicas + slotExpert[p]))),
  );
  put(
    slots,
    [...slotReplica].map((r, slot) => (r === NO_REPLICA ? 0 : slotOrdinal[slot] + replicaSlots[r] * 65536)),
  );
  if (replicaGpu.length >= 65536) throw new Error("replicas are numbered by 16 bits"); // far beyond workgroup memory
  return [...words, ...lists.words];
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
