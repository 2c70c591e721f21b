/**
 * How far do assignments travel if the balance is to be perfect, and what would less balance save?
 *
 *   node scripts/run.mjs bench/traffic.ts [--json FILE]
 *
 * Recorded routing, its tokens dealt to the GPUs in order, EPLB's placements. Shares of the assignments on own GPU / own node / other nodes, where the
 * optimal quotas are filled by position, or nearest first; with the least traffic at the same load; and with every token at the nearest replica, whatever
 * the load. Every answer is certified: a case in which one is not optimal, or not proven to have the least traffic, ends the run. Needs ../shared/data;
 * without it, it says so.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { plainTable } from "../src/cli/print/plain_table.ts";
import { type Places, placesOf, totalOf } from "../src/cli/reports/assignment_places.ts";
import { eplbPlacements } from "../src/cli/reports/load_history.ts";
import { certify, createSolver, type Placement, type ReplicaProblem, type ReplicaSolution } from "../src/index.ts";
import { checkDistance, type Distance } from "../src/placement/distance.ts";
import { recordedBytes, recordedDataPresent } from "../test/helpers/recorded.ts";

/** [B, S, E] of a layer. */
interface Layer {
  placement: Placement;
  batch: number;
  sourceLoad: Int32Array;
}

interface Case {
  name: string;
  gpus: number;
  nodes: number;
  layers: Layer[];
}

/** Sums over all batches, and the mean imbalance. */
interface Way extends Places {
  imbalance: number;
}

const ways = ["position", "nearest first", "least traffic", "nearest replica"] as const;
/** To the own GPU, within a node, to another. */
const DISTANCES = [0, 1, 5];
const SLACKS = [0, 0.01, 0.02, 0.05, 0.1, 0.2];

const { values: given } = parseArgs({ options: { json: { type: "string" } } });
if (recordedDataPresent) await measureAll();
else console.log("Nothing is measured: ../shared/data is absent.");

async function measureAll(): Promise<void> {
  const rows = [];
  for (const one of [...qwenCases(), ...gptOssCases()]) rows.push({ name: one.name, ...(await measure(one)) });
  const shares = (places: Places) => {
    const all = [places.ownGpu, places.ownNode, places.otherNodes];
    return all.map((part) => ((100 * part) / totalOf(places)).toFixed(1)).join(" / ");
  };
  console.log("Assignments on own GPU / own node / other nodes, %; every layer and step optimal and certified\n");
  console.log(
    plainTable([
      ["routing", ...ways, "imbalance", "of nearest", "LPs", "ms/LP", "of that traffic"],
      ...rows.map(({ name, sent, curve, lps, ms, msOfLoad }) => [
        ...[name, ...ways.map((way) => shares(sent[way]))],
        ...[curve[0].imbalance.toFixed(3), sent["nearest replica"].imbalance.toFixed(2)],
        ...[`${lps}`, ms.toFixed(3), (ms - msOfLoad).toFixed(3)],
      ]),
    ]),
  );
  console.log("\n% to other nodes (imbalance) where GPUs may be loaded above the least by\n");
  const point = (way: Way) => `${((100 * way.otherNodes) / totalOf(way)).toFixed(1)} (${way.imbalance.toFixed(3)})`;
  console.log(
    plainTable([
      ["routing", ...SLACKS.map((slack) => `${100 * slack} %`)],
      ...rows.map(({ name, curve }) => [name, ...curve.map(point)]),
    ]),
  );
  if (given.json !== undefined) writeFileSync(given.json, `${JSON.stringify({ slacks: SLACKS, rows }, null, 1)}\n`);
}

/** One prefill batch of Qwen3-30B-A3B: 48 layers, 128 experts, top 8; the placement fitted to it. */
function qwenCases(): Case[] {
  const [tokens, topK, experts] = [2080, 8, 128];
  const ids = recordedBytes("moe/qwen3_30b_a3b_prefill16_topk_ids_48x2080x8.u8.gz");
  const layer = (l: number, gpus: number, redundant: number): Layer => {
    const own = ids.subarray(l * tokens * topK, (l + 1) * tokens * topK);
    const sourceLoad = sourceLoads([own], topK, gpus, experts);
    const [placement] = eplbPlacements([sumsOf(sourceLoad, experts)], gpus, redundant);
    return { placement, batch: 1, sourceLoad };
  };
  const every = (step: number) => Array.from({ length: 48 / step }, (_, i) => i * step);
  return [
    { name: "every 6th layer", chosen: every(6) },
    { name: "48 layers", chosen: every(1) },
  ].flatMap(({ name, chosen }) =>
    [
      { gpus: 8, redundant: 16, nodes: 2 },
      { gpus: 16, redundant: 32, nodes: 4 },
      { gpus: 8, redundant: 64, nodes: 2 },
    ].map(({ gpus, redundant, nodes }) => ({
      ...{ name: `Qwen3 EP${gpus} R${redundant}, ${nodes} nodes, ${name}`, gpus, nodes },
      layers: chosen.map((l) => layer(l, gpus, redundant)),
    })),
  );
}

/**
 * gpt-oss-20b: 24 layers, 32 experts, top 4, the placement fitted to the first half. Decode: 292 sequences in lock step, a token of each in a step.
 * Prefill: batches of 16 of the sequences, whole, two of them on each rank; the tokens are generated ones, for no routing of prompts is recorded.
 */
function gptOssCases(): Case[] {
  const [sequences, steps, layers, topK, experts, gpus] = [292, 511, 24, 4, 32, 8];
  const bytes = recordedBytes("moe/gptoss20b_decode_topk_ids_292x511x24x4.u8.gz");
  const idsOf = (layer: number, tokens: readonly (readonly [sequence: number, step: number])[]) =>
    Uint8Array.from(
      tokens.flatMap(([sequence, step]) => {
        const at = ((sequence * steps + step) * layers + layer) * topK;
        return [...bytes.subarray(at, at + topK)];
      }),
    );
  const decode = Array.from({ length: steps }, (_, step) =>
    Array.from({ length: sequences }, (_, sequence) => [sequence, step] as const),
  );
  const together = 16;
  const prefill = Array.from({ length: Math.floor(sequences / together) }, (_, batch) =>
    Array.from({ length: together * steps }, (_, t) => [batch * together + Math.floor(t / steps), t % steps] as const),
  );
  return Object.entries({ decode, prefill }).flatMap(([name, batches]) => {
    const half = Math.ceil(batches.length / 2);
    const loads = Array.from({ length: layers }, (_, l) => ({
      fitted: sourceLoads(
        batches.slice(0, half).map((batch) => idsOf(l, batch)),
        topK,
        1,
        experts,
      ),
      measured: sourceLoads(
        batches.slice(half).map((batch) => idsOf(l, batch)),
        topK,
        gpus,
        experts,
      ),
    }));
    return [8, 16].map((redundant) => ({
      ...{ name: `gpt-oss ${name} EP8 R${redundant}, 2 nodes`, gpus, nodes: 2 },
      layers: loads.map(({ fitted, measured }) => {
        const [placement] = eplbPlacements([sumsOf(fitted, experts)], gpus, redundant);
        return { placement, batch: batches.length - half, sourceLoad: measured };
      }),
    }));
  });
}

/** [B, S, E] of batches of ids [T, k]. */
function sourceLoads(batches: readonly Uint8Array[], topK: number, sources: number, experts: number): Int32Array {
  const loads = new Int32Array(batches.length * sources * experts);
  for (const [b, ids] of batches.entries()) {
    const tokens = ids.length / topK;
    for (const [i, e] of ids.entries()) {
      const s = Math.floor((Math.floor(i / topK) * sources) / tokens);
      loads[(b * sources + s) * experts + e]++;
    }
  }
  return loads;
}

function sumsOf(loads: Int32Array, experts: number): Float64Array {
  const sums = new Float64Array(experts);
  for (const [i, tokens] of loads.entries()) sums[i % experts] += tokens;
  return sums;
}

async function measure({ name, gpus, nodes, layers }: Case) {
  const values = Float64Array.from(checkDistance({ nodes }, gpus)!.place, (place) => DISTANCES[place]);
  const distance = checkDistance({ distance: values }, gpus)!;
  const sent = Object.fromEntries(ways.map((way) => [way, none()])) as Record<(typeof ways)[number], Way>;
  const curve = SLACKS.map(none);
  let [lps, ms, msOfLoad] = [0, 0, 0];
  for (const { placement, batch, sourceLoad } of layers) {
    const solver = await createSolver(placement, { backend: "cpu", distance: values });
    const expertLoad = expertLoads(sourceLoad, batch, gpus);
    const balanced = await solver.solve({ expertLoad });
    const solutions: ReplicaSolution[] = [];
    for (const slack of SLACKS) solutions.push(await solver.solve({ sourceLoad }, { slack }));
    requireProven(name, { placement, sourceLoad, distance: values }, solutions);
    const nearest = await solver.solve({ sourceLoad }, { slack: gpus }); // nothing binds
    msOfLoad += await timed(() => solver.solve({ expertLoad }));
    ms += await timed(() => solver.solve({ sourceLoad }));
    solver.destroy();

    const { maxLoad } = balanced;
    const filled = (byDistance: boolean) => fill(distance, placement, sourceLoad, balanced.quota, byDistance);
    add(sent.position, distance, placement, { maxLoad, sourceQuota: filled(false) });
    add(sent["nearest first"], distance, placement, { maxLoad, sourceQuota: filled(true) });
    add(sent["least traffic"], distance, placement, solutions[0]);
    add(sent["nearest replica"], distance, placement, nearest);
    for (const [i, solution] of solutions.entries()) add(curve[i], distance, placement, solution);
    lps += batch;
  }
  for (const way of [...Object.values(sent), ...curve]) way.imbalance /= lps;
  return { sent, curve, lps, ms: ms / lps, msOfLoad: msOfLoad / lps };
}

function none(): Way {
  return { ownGpu: 0, ownNode: 0, otherNodes: 0, imbalance: 0 };
}

/** [B, E] of [B, S, E]. */
function expertLoads(sourceLoad: Int32Array, batch: number, sources: number): Float64Array {
  const width = sourceLoad.length / batch;
  const experts = width / sources;
  const loads = new Float64Array(batch * experts);
  for (const [i, tokens] of sourceLoad.entries()) loads[Math.floor(i / width) * experts + (i % experts)] += tokens;
  return loads;
}

/** Median of three, for it may share the machine. */
async function timed(solve: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < 3; run++) {
    const start = performance.now();
    await solve();
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[1];
}

/** With slack the load is above the least, but no traffic is above its bound. */
function requireProven(name: string, problem: ReplicaProblem, solutions: readonly ReplicaSolution[]): void {
  for (const [i, solution] of solutions.entries()) {
    for (const [lp, { valid, verdict }] of certify(problem, solution).entries()) {
      const least = solution.traffic![lp] === solution.trafficBound![lp];
      if (valid && least && (i > 0 || verdict === "optimal")) continue;
      throw new Error(`${name}, slack ${SLACKS[i]}, LP ${lp}: ${verdict}, ${least ? "" : "not "}the least traffic`);
    }
  }
}

/** [B, S, P] whose tokens fill given quotas: source by source in order or, by distance, those of the GPU first, then of the node, then the rest. */
function fill(
  { sources, gpus, place }: Distance,
  { physicalToLogical, gpuOf, logicalExperts: experts, physicalExperts: slots }: Placement,
  sourceLoad: Int32Array,
  quota: ArrayLike<number>,
  byDistance: boolean,
): Int32Array {
  const left = sourceLoad.slice();
  const room = Float64Array.from(quota);
  const sourceQuota = new Int32Array(sources * quota.length);
  for (let lp = 0; lp < quota.length / slots; lp++) {
    for (const level of byDistance ? [0, 1, 2] : [undefined]) {
      for (let p = 0; p < slots; p++) {
        for (let s = 0; s < sources; s++) {
          if (level !== undefined && place[s * gpus + gpuOf[p]] !== level) continue;
          const here = (lp * sources + s) * experts + physicalToLogical[p];
          const tokens = Math.min(left[here], room[lp * slots + p]);
          sourceQuota[(lp * sources + s) * slots + p] += tokens;
          left[here] -= tokens;
          room[lp * slots + p] -= tokens;
        }
      }
    }
  }
  return sourceQuota;
}

function add(
  way: Way,
  distance: Distance,
  { gpus, gpuOf }: Placement,
  { maxLoad, sourceQuota }: Pick<ReplicaSolution, "maxLoad" | "sourceQuota">,
): void {
  const width = distance.sources * gpuOf.length;
  for (const [lp, most] of maxLoad.entries()) {
    const places = placesOf(distance, gpuOf, sourceQuota!.subarray(lp * width, (lp + 1) * width));
    way.ownGpu += places.ownGpu;
    way.ownNode += places.ownNode;
    way.otherNodes += places.otherNodes;
    way.imbalance += (most * gpus) / totalOf(places);
  }
}
