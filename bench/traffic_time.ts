/**
 * What does it take to send tokens to near replicas?
 *
 *   node scripts/run.mjs bench/traffic_time.ts [--json FILE] [--webgpu]
 *
 * Recorded routing on EP16 R32, four nodes: ids handed out by position, and by source with the matching of given quotas, nearest first; and quotas of least
 * traffic per layer on one CPU core. With --webgpu the balancer's stages on an adapter, as its timestamps tell them. All answers are checked before
 * anything is timed. Medians of 15; ratios are of the same run. Needs ../shared/data; without it, it says so.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { countSources } from "../src/balancer/twins/count_sources.ts";
import { remap, remapBySource } from "../src/balancer/twins/remap.ts";
import { eplbPlacements } from "../src/cli/reports/load_history.ts";
import { certify, createBalancer, createSolver, type Placement } from "../src/index.ts";
import { toTopology } from "../src/lp/forms.ts";
import { NearestMatcher } from "../src/lp/traffic/match.ts";
import { checkDistance } from "../src/placement/distance.ts";
import { rowOf } from "../src/placement/per_layer.ts";
import { recordedBytes, recordedDataPresent } from "../test/helpers/recorded.ts";

const [L, T, K, E, G, R, NODES] = [48, 2080, 8, 128, 16, 32, 4];
const SAMPLES = 15;
const WARM = 5;
const { values: given } = parseArgs({ options: { json: { type: "string" }, webgpu: { type: "boolean" } } });
if (recordedDataPresent) await measureAll();
else console.log("Nothing is measured: ../shared/data is absent.");

async function measureAll(): Promise<void> {
  const ids = Int32Array.from(recordedBytes("moe/qwen3_30b_a3b_prefill16_topk_ids_48x2080x8.u8.gz"));
  const counts = Array.from({ length: L }, (_, l) => [...countSources(rowOf(ids, T * K, l), 1, E, K, 1)]);
  const placements = eplbPlacements(
    counts.map((loads) => Float64Array.from(loads)),
    G,
    R,
  );
  const rows = { ...(await onCpu(ids, counts, placements)), ...(given.webgpu ? await onDevice(ids, placements) : {}) };
  for (const [name, value] of Object.entries(rows)) console.log(`${name}: ${value.toFixed(3)}`);
  if (given.json)
    writeFileSync(given.json, `${JSON.stringify({ shape: { L, T, K, E, G, R, nodes: NODES }, rows }, null, 2)}\n`);
}

/** Milliseconds of a run of each: medians, of runs in turn. */
function times<Name extends string>(runs: Record<Name, () => void>): Record<Name, number> {
  const names = Object.keys(runs) as Name[];
  const ms = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let i = -WARM; i < SAMPLES; i++) {
    for (const name of names) {
      const begun = performance.now();
      runs[name]();
      if (i >= 0) ms[name].push(performance.now() - begun);
    }
  }
  const median = (all: number[]) => all.sort((x, y) => x - y)[all.length >> 1];
  return Object.fromEntries(names.map((name) => [name, median(ms[name])])) as Record<Name, number>;
}

async function onCpu(ids: Int32Array, counts: number[][], placements: Placement[]) {
  const distance = checkDistance({ nodes: NODES }, G)!;
  const topologies = placements.map((placement) => toTopology(placement, undefined));
  const bySource = countSources(ids, L, E, K, G);
  const [physical, P] = [new Int32Array(T * K), E + R];
  const solvers = await Promise.all(placements.map((one) => createSolver(one, { backend: "cpu", nodes: NODES })));
  const quotas = await Promise.all(
    solvers.map(async (solver, l) => {
      const sourceLoad = rowOf(bySource, G * E, l);
      const solution = await solver.solve({ sourceLoad });
      const [{ verdict, trafficBoundValid }] = certify(
        { placement: placements[l], nodes: NODES, sourceLoad },
        solution,
      );
      if (verdict !== "optimal" || !trafficBoundValid) throw new Error(`Layer ${l} is not proven.`);
      return (await solver.solve({ expertLoad: counts[l] })).quota as Int32Array;
    }),
  );
  const sourceQuota = new Int32Array(L * G * P);
  const own = (l: number) => rowOf(ids, T * K, l);
  const none = new Int32Array(E);
  const every = (one: (l: number) => void) => () => {
    for (let l = 0; l < L; l++) one(l);
  };
  const matchers = topologies.map((topology) => new NearestMatcher(topology, distance));
  const match = (l: number) => matchers[l].match(rowOf(bySource, G * E, l), quotas[l], rowOf(sourceQuota, G * P, l));
  for (let l = 0; l < L; l++) match(l);
  const bySourceToo = (l: number) =>
    remapBySource(placements[l], K, own(l), rowOf(sourceQuota, G * P, l), undefined, physical);
  const { byPosition, handedOut, nearestFirst } = times({
    byPosition: every((l) => remap(placements[l], own(l), quotas[l], none, physical)),
    handedOut: every(bySourceToo),
    nearestFirst: every((l) => {
      match(l);
      bySourceToo(l);
    }),
  });
  const [whole, blind]: number[][] = [[], []];
  for (let i = 0; i < SAMPLES; i++) {
    const begun = performance.now();
    for (let l = 0; l < L; l++) await solvers[l].solve({ sourceLoad: rowOf(bySource, G * E, l) });
    const between = performance.now();
    for (let l = 0; l < L; l++) await solvers[l].solve({ expertLoad: counts[l] });
    whole.push(between - begun);
    blind.push(performance.now() - between);
  }
  const median = (all: number[]) => all.sort((a, b) => a - b)[SAMPLES >> 1] / L;
  return {
    "CPU, ms per layer: remap by position": byPosition / L,
    "remap by source, over that": handedOut / byPosition,
    "matching nearest first and remap, over that": nearestFirst / byPosition,
    "solve with least traffic, ms per layer": median(whole),
    "solve without, ms per layer": median(blind),
  };
}

async function onDevice(ids: Int32Array, placements: Placement[]) {
  const options = { placement: placements, topK: K, maxTokens: T, backend: "webgpu", timestamps: true } as const;
  const [near, blind] = [await createBalancer({ ...options, nodes: NODES }), await createBalancer(options)];
  const checked = await near.balance(ids);
  if (!checked.traffic!.every((traffic, l) => traffic === checked.trafficBound![l])) throw new Error("Not proven.");
  const us: Record<string, number[]> = {};
  for (let i = 0; i < SAMPLES; i++) {
    for (const [name, balancer] of Object.entries({ near, blind })) {
      const before = balancer.metrics().stageUs ?? {};
      await balancer.balance(ids);
      for (const [stage, all] of Object.entries(balancer.metrics().stageUs ?? {})) {
        us[`${name} ${stage}`] = [...(us[`${name} ${stage}`] ?? []), all - (before[stage] ?? 0)];
      }
    }
  }
  const median = (name: string) => us[name].sort((a, b) => a - b)[us[name].length >> 1];
  for (const balancer of [near, blind]) balancer.destroy();
  return {
    "WebGPU, us: remap by position": median("blind remap"),
    "remap by source, over that (GPU)": median("near remap") / median("blind remap"),
    "WebGPU, us: solve": median("blind solve"),
    "WebGPU, us: solve and least traffic": median("near solve"),
  };
}
