import type { Random } from "../common/random.ts";
import { Arrangement, type Machine, nodeOf, type Rows } from "./arrangement.ts";
import { type LayerHistory, meanShare } from "./history.ts";
import { type ExpertLoads, type Ground, type HubDesign, hubPlacement, linkings } from "./hubs.ts";
import { type Objective, ofValues } from "./objective.ts";
import type { Outlook } from "./outlook.ts";
import type { Pacer } from "./pacer.ts";
import { SoloRouter } from "./router.ts";
import { dealt } from "./start.ts";

/** Hubs, in multiples of G / (slots per GPU - 1): with so many the hubs' slots are as many as the leaves. 0: links between leaves only. */
const HUBS = [0, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5];
const ALPHAS = [0, 0.2, 0.4, 0.6, 0.8];
/** The placements are tried on so many scenarios, of which the best so many go on to the next. */
const HEATS = [
  { scenarios: 32, keep: 60 },
  { scenarios: 96, keep: 16 },
  { scenarios: 256, keep: 5 },
  { scenarios: 768, keep: 1 },
];

/** Scenarios between two looks at the clock. */
const BREATH = 32;

export interface Chosen {
  rows: Rows;
  /** The objective on the last heat's scenarios; not known where there was no time. */
  worth: number;
  /** Placements tried. */
  tried: number;
}

/** The best of many hub-and-spoke placements and of `others`, the first of which is where time runs out before any is tried. */
export async function bestOfPortfolio(
  { machine, objective, pacer }: { machine: Machine; objective: Objective; pacer: Pacer },
  history: LayerHistory,
  outlook: Outlook,
  others: readonly Rows[],
  fits: (rows: Rows) => Rows | undefined,
  random: Random,
): Promise<Chosen> {
  if (pacer.isOver) return { rows: others[0], worth: Infinity, tried: 0 };
  const [{ scenarios: most }] = HEATS.slice(-1);
  const total = machine.speed.reduce((a, b) => a + b);
  const loads = outlook.draw(most, random).map((share) => share * total);
  const mean = meanShare(history.share, machine.experts).map((share) => share * total);
  const built: Rows[] = [...others];
  const ground = grounds(machine, mean, random);
  for (const design of designs(machine)) {
    await pacer.breathe();
    const rows = designed(machine, ground, { mean, variance: outlook.variance }, design);
    const fitting = rows && fits(rows);
    if (fitting) built.push(fitting);
  }
  let field = built.map((rows) => ({
    rows,
    solo: new SoloRouter(new Arrangement(machine, rows)),
    value: new Float64Array(most),
    worth: Infinity,
  }));
  let from = 0;
  for (const { scenarios, keep } of HEATS) {
    for (const one of field) {
      for (let i = from; i < scenarios; i++) {
        if (i % BREATH === 0) await pacer.breathe();
        one.value[i] = one.solo.optimum(loads, i * machine.experts);
      }
      one.worth = ofValues(objective, one.value.subarray(0, scenarios));
    }
    field = field.sort((a, b) => a.worth - b.worth).slice(0, keep); // stable: the others first where they are as good
    from = scenarios;
    if (pacer.isOver) break;
  }
  return { rows: field[0].rows, worth: field[0].worth, tried: built.length };
}

function designs({ gpus, used, nodes, replicas }: Machine): HubDesign[] {
  const within = replicas === "within-node" ? nodes : 1;
  const unit = gpus / within / Math.max(1, used / gpus - 1);
  const counts = new Set(HUBS.map((multiple) => Math.min(gpus / within, Math.round(multiple * unit))));
  const found: HubDesign[] = [];
  for (const hubs of counts) {
    for (const linking of hubs > 2 ? linkings : (["path"] as const)) {
      for (const alpha of ALPHAS) found.push({ hubs, linking, alpha });
    }
  }
  return found;
}

/** A design on all GPUs or, where nodes share no expert, on each node. */
function designed(machine: Machine, grounds: readonly Ground[], loads: ExpertLoads, design: HubDesign) {
  const rows: number[][] = Array.from({ length: machine.gpus }, () => []);
  for (const ground of grounds) {
    const part = hubPlacement(machine, ground, loads, design);
    if (!part) return undefined;
    for (const g of ground.gpus) rows[g] = part[g];
  }
  return rows;
}

/** The GPUs that share experts, in any order, but neighbours on different nodes where these are to be shared across. */
function grounds(machine: Machine, mean: Float64Array, random: Random): Ground[] {
  const { gpus, experts, used, nodes, replicas } = machine;
  const all = random.shuffle([...Array(gpus).keys()]);
  const slots = slotsInUse(machine);
  const node = (g: number) => nodeOf(machine, g);
  if (replicas !== "within-node") {
    const mayShare = (g: number, other: number) => replicas === "anywhere" || node(g) !== node(other);
    const byNode = Array.from({ length: nodes }, (_, n) => all.filter((g) => node(g) === n));
    const order = Array.from(all, (_, i) => byNode[i % nodes][Math.floor(i / nodes)]);
    return [
      {
        gpus: replicas === "across-nodes" ? order : all,
        experts: [...Array(experts).keys()],
        slots,
        redundant: used - experts,
        mayShare,
      },
    ];
  }
  return dealt(mean, nodes).map((members, n) => {
    const own = all.filter((g) => node(g) === n);
    return { gpus: own, experts: members, slots, redundant: (used - experts) / nodes, mayShare: () => true };
  });
}

/** [G] how many slots each GPU uses: one by one to the GPU that has fewest for its speed, those that share no expert alike. */
function slotsInUse(machine: Machine): Int32Array {
  const { gpus, used, nodes, replicas, capacity, speed } = machine;
  const slots = new Int32Array(gpus);
  const own = replicas === "within-node" ? nodes : 1;
  for (let part = 0; part < own; part++) {
    const [first, end] = [(part * gpus) / own, ((part + 1) * gpus) / own];
    for (let left = used / own; left > 0; left--) {
      let best = -1;
      for (let g = first; g < end; g++) {
        if (slots[g] === capacity[g]) continue;
        if (best < 0 || (slots[g] + 1) / speed[g] < (slots[best] + 1) / speed[best]) best = g;
      }
      slots[best]++;
    }
  }
  return slots;
}
