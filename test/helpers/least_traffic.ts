/** The least load, and the least traffic under a limit, by plain means that share nothing with the solvers. */
import loadHighs from "highs";
import type { SourcedCase } from "./sourced_problems.ts";

const highs = await loadHighs();

/** One LP: what each source has for each expert, and where it may go. */
export interface Transport {
  gpus: number;
  alive: boolean[];
  speed: number[];
  /** [G] tokens, 0 of dead GPUs. */
  base: number[];
  /** Tokens of one source for one expert, the living GPUs that hold it, and how far each is from that source. */
  supplies: { source: number; expert: number; tokens: number; gpus: number[]; distance: number[] }[];
}

/** LP `lp` of a problem. What nobody serves is left out. */
export function transportOf({ problem, sources }: SourcedCase, lp: number): Transport {
  const { placement, sourceLoad, baseLoad, speed, active } = problem;
  const { gpus, logicalExperts: experts, physicalToLogical, gpuOf } = placement;
  const alive = Array.from({ length: gpus }, (_, g) => Boolean(active?.[g] ?? true));
  const hosts = Array.from({ length: experts }, (_, e) => [
    ...new Set([...gpuOf].filter((g, p) => physicalToLogical[p] === e && alive[g])),
  ]);
  const supplies: Transport["supplies"] = [];
  for (let source = 0; source < sources; source++) {
    for (let expert = 0; expert < experts; expert++) {
      const tokens = sourceLoad[(lp * sources + source) * experts + expert];
      const distance = hosts[expert].map((g) => distanceOf(problem, source, g));
      if (tokens > 0 && hosts[expert].length > 0)
        supplies.push({ source, expert, tokens, gpus: hosts[expert], distance });
    }
  }
  const base = alive.map((lives, g) => (lives ? ((baseLoad as number[] | undefined)?.[lp * gpus + g] ?? 0) : 0));
  return { gpus, alive, speed: alive.map((_, g) => speed?.[g] ?? 1), base, supplies };
}

/** As the documents say: of `nodes`, 0 to itself, 1 within the node, 9 beyond, and 0 everywhere in one node. */
export function distanceOf(
  { distance, nodes, placement }: SourcedCase["problem"],
  source: number,
  gpu: number,
): number {
  if (nodes === undefined) return (distance as number[][])[source][gpu];
  const perNode = placement.gpus / nodes;
  if (nodes === 1 || source === gpu) return 0;
  return Math.floor(source / perNode) === Math.floor(gpu / perNode) ? 1 : 9;
}

/** The most whole tokens k with k / v <= t. */
export function tokensWithin(t: number, v: number): number {
  let k = Math.floor(t * v);
  while (k / v > t) k--;
  while ((k + 1) / v <= t) k++;
  return k;
}

/** [G] tokens besides the base load within a limit, 0 of dead GPUs. */
export const capsOf = ({ alive, speed, base }: Transport, limit: number) =>
  alive.map((lives, g) => (lives ? tokensWithin(limit, speed[g]) - base[g] : 0));

/** The smallest time k / v_g by which every set of GPUs has room for what lives in it alone: all sets are looked at [Hall 1935]. */
export function leastLoad(lp: Transport): number {
  const { alive, speed, base, supplies, gpus } = lp;
  const living = [...alive.keys()].filter((g) => alive[g]);
  const confined = new Float64Array(2 ** gpus);
  const total = supplies.reduce((sum, { tokens }) => sum + tokens, 0);
  const bits = supplies.map((supply) => supply.gpus.reduce((set, g) => set | (1 << g), 0));
  for (let set = 1; set < 2 ** gpus; set++) {
    for (const [i, { tokens }] of supplies.entries()) if ((bits[i] & ~set) === 0) confined[set] += tokens;
  }
  const hasRoom = (t: number) => {
    const cap = capsOf(lp, t);
    if (living.some((g) => cap[g] < 0)) return false;
    return confined.every((tokens, set) => tokens <= cap.reduce((sum, c, g) => sum + (set & (1 << g) ? c : 0), 0));
  };
  const times = Float64Array.from(
    living.flatMap((g) => Array.from({ length: total + 1 }, (_, k) => (base[g] + k) / speed[g])),
  ).sort();
  let [below, above] = [-1, times.length - 1];
  while (above - below > 1) {
    const middle = (below + above) >> 1;
    if (hasRoom(times[middle])) above = middle;
    else below = middle;
  }
  return times[above];
}

/**
 * Least traffic under caps [G]: one supply after the other is sent along shortest paths of the residual graph of supplies and GPUs [Bellman, Ford].
 *
 * @throws  There is no such split.
 */
export function leastTraffic({ supplies, gpus }: Transport, cap: readonly number[]): number {
  const sent = supplies.map((supply) => new Float64Array(supply.gpus.length));
  const room = Float64Array.from(cap);
  const furthest = Math.max(0, ...supplies.flatMap(({ distance }) => distance));
  const rounding = furthest * 2 ** -46; // what sums of a few f64 may differ by: less is no improvement
  for (const [first, supply] of supplies.entries()) {
    for (let left = supply.tokens; left > 0; ) {
      // From the supply to each GPU, and back from a GPU to whoever has tokens there.
      const reach = new Float64Array(gpus).fill(Infinity);
      const via: { supply: number; back: number; entry: number }[] = [];
      const relax = (i: number, from: number, back: number) => {
        let better = false;
        for (const [entry, g] of supplies[i].gpus.entries()) {
          const there = from + supplies[i].distance[entry];
          if (!(there < reach[g] - rounding)) continue;
          reach[g] = there;
          via[g] = { supply: i, back, entry };
          better = true;
        }
        return better;
      };
      relax(first, 0, -1);
      for (let again = true; again; ) {
        again = false;
        for (const [i, other] of supplies.entries()) {
          for (const [back, g] of other.gpus.entries()) {
            if (sent[i][back] > 0 && reach[g] < Infinity && relax(i, reach[g] - other.distance[back], back))
              again = true;
          }
        }
      }
      const open = [...room.keys()].filter((g) => room[g] > 0 && reach[g] < Infinity);
      if (open.length === 0) throw new Error("No split is within the caps.");
      const end = open.reduce((best, g) => (reach[g] < reach[best] ? g : best));
      let amount = Math.min(left, room[end]);
      const path: (typeof via)[number][] = [];
      for (let g = end; ; g = supplies[path.at(-1)!.supply].gpus[path.at(-1)!.back]) {
        path.push(via[g]);
        const { supply: i, back } = via[g];
        if (back < 0) break;
        amount = Math.min(amount, sent[i][back]);
      }
      for (const { supply: i, back, entry } of path) {
        sent[i][entry] += amount;
        if (back >= 0) sent[i][back] -= amount;
      }
      room[end] -= amount;
      left -= amount;
    }
  }
  return sent.reduce((sum, row, i) => sum + row.reduce((part, x, j) => part + x * supplies[i].distance[j], 0), 0);
}

/** The same by listing every split. */
export function leastTrafficListed({ supplies }: Transport, cap: readonly number[]): number {
  const room = [...cap];
  let best = Infinity;
  const send = (i: number, entry: number, left: number, traffic: number) => {
    if (traffic >= best) return;
    if (left === 0) {
      if (i + 1 < supplies.length) send(i + 1, 0, supplies[i + 1].tokens, traffic);
      else best = traffic;
      return;
    }
    const { gpus, distance } = supplies[i];
    if (entry === gpus.length) return;
    const g = gpus[entry];
    for (let x = 0; x <= Math.min(left, room[g]); x++) {
      room[g] -= x;
      send(i, entry + 1, left - x, traffic + x * distance[entry]);
      room[g] += x;
    }
  };
  if (supplies.length === 0) return 0;
  send(0, 0, supplies[0].tokens, 0);
  return best;
}

/** The same by HiGHS, of many LPs at once, which have nothing in common. */
export function leastTrafficByHighs(lps: readonly { lp: Transport; cap: readonly number[] }[]): number[] {
  const costs: string[] = [];
  const rows: string[] = [];
  for (const [n, { lp, cap }] of lps.entries()) {
    const onGpu = cap.map(() => [] as string[]);
    for (const [i, { tokens, gpus, distance }] of lp.supplies.entries()) {
      const names = gpus.map((g) => `x${n}_${i}_${g}`);
      rows.push(` s${n}_${i}: ${names.join(" + ")} = ${tokens}`);
      for (const [j, g] of gpus.entries()) {
        onGpu[g].push(names[j]);
        costs.push(`${distance[j]} ${names[j]}`);
      }
    }
    for (const [g, names] of onGpu.entries())
      if (names.length > 0) rows.push(` g${n}_${g}: ${names.join(" + ")} <= ${cap[g]}`);
  }
  const text = `Minimize\n obj: ${costs.join("\n + ")}\nSubject To\n${rows.join("\n")}\nEnd\n`;
  const { Status, Columns } = highs.solve(text, {
    primal_feasibility_tolerance: 1e-10,
    dual_feasibility_tolerance: 1e-10,
  });
  if (Status !== "Optimal") throw new Error(`HiGHS: ${Status}`);
  return lps.map(({ lp }, n) =>
    lp.supplies.reduce(
      (sum, { gpus, distance }, i) =>
        sum + gpus.reduce((part, g, j) => part + distance[j] * Columns[`x${n}_${i}_${g}`].Primal, 0),
      0,
    ),
  );
}
