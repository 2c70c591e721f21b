import type { Machine } from "./arrangement.ts";

export const linkings = ["ring", "path", "tree", "cliques", "wide cliques"] as const;
/** How the hubs are linked with each other. */
export type Linking = (typeof linkings)[number];

/** A hub-and-spoke placement, but for the loads. */
export interface HubDesign {
  /** GPUs that are hubs. */
  hubs: number;
  linking: Linking;
  /** Of a shared expert's fair share, how much is reckoned to be on a leaf when it gets its single experts. */
  alpha: number;
}

/** What a design is filled with. */
export interface ExpertLoads {
  /** [E] mean loads, adding up to v(all GPUs). */
  mean: Float64Array;
  /** Variance of a load in units of its squared mean. */
  variance: number;
}

/** GPUs to fill, in the order in which a design takes them, and what may lie where. */
export interface Ground {
  gpus: readonly number[];
  experts: readonly number[];
  /** [G] slots to fill, of all GPUs. */
  slots: Int32Array;
  /** Slots beyond one per expert. */
  redundant: number;
  /** Whether replicas of one expert may lie on both. */
  mayShare(g: number, other: number): boolean;
}

/** A clique of hubs is this much wider for a load of 1, a GPU's fair share; MARGIN below a whole GPU more. */
const CLIQUE_WIDTH: Partial<Record<Linking, number>> = { cliques: 1, "wide cliques": 1.6 };
const MARGIN = 0.15;
/** Rounds of a spoke for each leaf. */
const ROUNDS = 20;

/**
 * A placement in closed form: a few GPUs, the hubs, hold shared experts and hardly anything else; each of the others, the leaves, shares one with a hub
 * or more and fills up with single experts.
 *
 * A leaf can then take any load between its single experts' and those and its shared ones', and what the hubs can take is a reserve near to
 * every leaf, whichever of them is in need. The graph has few parameters, so it does not learn the record by heart.
 *
 * An edge is the set of GPUs that will hold one shared expert. First the hubs are linked, then each leaf gets a spoke to a hub in turn, as long as replicas and
 * slots last; what is left links leaves, and then widens edges. The hottest experts take the hubs' links, the next the spokes, the lightest
 * fill the hubs, and the rest goes to the leaves, heaviest first, each where load and risk are least.
 *
 * @returns [G] the experts of each GPU of the ground, or undefined where they do not fill its slots.
 */
export function hubPlacement(machine: Machine, ground: Ground, loads: ExpertLoads, design: HubDesign) {
  const { mean } = loads;
  const hottest = [...ground.experts].sort((a, b) => mean[b] - mean[a] || a - b);
  const edges = new Edges(ground);
  const hubs = ground.gpus.slice(0, design.hubs);
  const leaves = ground.gpus.slice(design.hubs);
  linkHubs(edges, hubs, design.linking, (i) => mean[hottest[i]] ?? 0, ground);
  const links = edges.list.length;
  addSpokes(edges, hubs, leaves);
  linkLeaves(edges, leaves.length > 0 ? leaves : hubs);
  edges.widen(links);
  if (edges.left > 0 || edges.list.length > hottest.length) return undefined;
  return fill(machine, ground, loads, hottest, edges.list, { hubs, links, alpha: design.alpha });
}

/** The sets of GPUs that will share an expert each, as far as slots and replicas last. */
class Edges {
  readonly list: number[][] = [];
  /** [G] */
  readonly free: Int32Array;
  /** Replicas. */
  left: number;
  private readonly known = new Set<string>();

  constructor(private readonly ground: Ground) {
    this.free = ground.slots.slice();
    this.left = ground.redundant;
  }

  add(gpus: number[]): boolean {
    const key = [...gpus].sort((a, b) => a - b).join();
    if (gpus.length < 2 || gpus.length - 1 > this.left || this.known.has(key)) return false;
    for (const [i, g] of gpus.entries()) {
      if (this.free[g] === 0 || gpus.slice(0, i).some((other) => !this.ground.mayShare(g, other))) return false;
    }
    for (const g of gpus) this.free[g]--;
    this.left -= gpus.length - 1;
    this.known.add(key);
    this.list.push(gpus);
    return true;
  }

  /** Gives replicas that are left to edges, in turn, each on the GPU with most free slots. */
  widen(first: number): void {
    let widened = true;
    while (this.left > 0 && widened) {
      widened = false;
      const turn = [...this.list.slice(first), ...this.list.slice(0, first)];
      for (const edge of turn) {
        if (this.left === 0) return;
        let most: number | undefined;
        for (const g of this.ground.gpus) {
          if (this.free[g] < 2 || edge.some((other) => other === g || !this.ground.mayShare(g, other))) continue;
          if (most === undefined || this.free[g] > this.free[most]) most = g;
        }
        if (most === undefined) continue;
        edge.push(most);
        this.free[most]--;
        this.left--;
        widened = true;
      }
    }
  }
}

function linkHubs(
  edges: Edges,
  hubs: readonly number[],
  linking: Linking,
  load: (i: number) => number,
  ground: Ground,
) {
  const h = hubs.length;
  if (h < 2) return;
  const width = CLIQUE_WIDTH[linking];
  if (width !== undefined) {
    for (let i = 0, at = 0; i < h; i++) {
      const wanted = Math.min(h, Math.max(2, 1 + Math.ceil(width * load(i) - MARGIN)));
      const clique: number[] = [];
      for (let j = 0; j < h && clique.length < wanted; j++) {
        const g = hubs[(at + j) % h];
        if (edges.free[g] > 0 && clique.every((other) => ground.mayShare(g, other))) clique.push(g);
      }
      if (!edges.add(clique)) return;
      at = hubs.indexOf(clique[clique.length - 1]);
    }
    return;
  }
  const branches = ground.slots[hubs[0]] > 3 ? 2 : 1;
  for (let i = 1; i < h; i++) edges.add([hubs[linking === "tree" ? Math.floor((i - 1) / branches) : i - 1], hubs[i]]);
  if (linking === "ring") edges.add([hubs[h - 1], hubs[0]]);
}

function addSpokes(edges: Edges, hubs: readonly number[], leaves: readonly number[]): void {
  const h = hubs.length;
  let added = h > 0;
  for (let round = 0; round < ROUNDS && added; round++) {
    added = false;
    for (const [j, leaf] of leaves.entries()) {
      if (edges.left === 0) return;
      if (edges.free[leaf] < 2) continue;
      const turn = Math.floor(j / h) % 2 === 0 ? j % h : h - 1 - (j % h); // to and fro, so that no hub has all the hotter ones
      for (let q = 0; q < h; q++) {
        if (!edges.add([hubs[(turn + q + round) % h], leaf])) continue;
        added = true;
        break;
      }
    }
  }
}

/** Links between leaves: those without a spoke first. */
function linkLeaves(edges: Edges, leaves: readonly number[]): void {
  const l = leaves.length;
  const linked = new Set(edges.list.flat());
  const alone = leaves.filter((g) => !linked.has(g));
  const order = [...alone, ...leaves.filter((g) => linked.has(g))];
  for (let step = 1; step < l; step++) {
    for (let i = 0; i < l; i++) {
      if (edges.left === 0) return;
      const [a, b] = [order[i], order[(i + step) % l]];
      if (edges.free[a] > 1 && edges.free[b] > 1) edges.add([a, b]);
    }
  }
}

function fill(
  { gpus, speed }: Machine,
  ground: Ground,
  { mean, variance }: ExpertLoads,
  hottest: readonly number[],
  edges: readonly (readonly number[])[],
  { hubs, links, alpha }: { hubs: readonly number[]; links: number; alpha: number },
): number[][] | undefined {
  const rows: number[][] = Array.from({ length: gpus }, () => []);
  const load = new Float64Array(gpus);
  const risk = new Float64Array(gpus);
  const spokes = edges.slice(links).sort((a, b) => b.length - a.length);
  for (const [rank, edge] of [...edges.slice(0, links), ...spokes].entries()) {
    const e = hottest[rank];
    for (const g of edge) {
      rows[g].push(e);
      if (rank >= links) load[g] += (alpha * mean[e] * 2) / edge.length;
    }
  }
  const rest = hottest.slice(edges.length);
  for (const g of hubs) {
    while (rows[g].length < ground.slots[g] && rest.length > 0) rows[g].push(rest.pop()!);
  }
  for (const e of rest) {
    let best = -1;
    let least = Infinity;
    for (const g of ground.gpus) {
      if (rows[g].length >= ground.slots[g]) continue;
      const reckoned = (load[g] + mean[e] + Math.sqrt(risk[g] + variance * mean[e] ** 2)) / speed[g];
      if (reckoned < least) [best, least] = [g, reckoned];
    }
    if (best < 0) return undefined;
    rows[best].push(e);
    load[best] += mean[e];
    risk[best] += variance * mean[e] ** 2;
  }
  return ground.gpus.every((g) => rows[g].length === ground.slots[g]) ? rows : undefined;
}
