/** How much is there to do for one LP, and how much of it at once? Operations and the longest chain of them; registers of the CUDA kernel. */
import { topologies } from "../src/index.ts";
import { canonicalForm } from "../src/lp/kernels/canonical.ts";
import { specialise } from "../src/lp/kernels/generate.ts";
import type { Loads } from "../src/lp/problem.ts";
import { counter, type Work } from "../src/lp/text/counted.ts";
import { evenCaps, solveForm } from "../src/lp/text/solve_form.ts";
import type { Topology } from "../src/lp/topology.ts";
import { loadsOfForm } from "../src/lp/twins/specialised.ts";
import type { Bench } from "./harness.ts";
import { simdAlone } from "./kernels_alone.ts";
import type { CountedWork } from "./row.ts";
import { graphWorkloadOfExperts, modelWorkload, type Workload } from "./workloads.ts";

const QUESTION = "depth";

export async function depthOfSolves(bench: Bench): Promise<void> {
  const { nvcc } = bench.host;
  for (const work of workloads()) {
    const counted = countAll(work);
    if (nvcc) counted.cuda = nvcc.useOf(work);
    const [row] = await bench.compare(QUESTION, work, [simdAlone]);
    row.counted = counted;
    bench.note(inWords(work, counted));
  }
  bench.note(nvcc ? `CUDA by ${nvcc.version}` : "depth: no nvcc here, so nothing about registers");
}

/** In replica form, which is what is exported: the text of the solve is that of the edge form. */
function workloads(): Workload[] {
  const model = (gpus: number, experts: number, redundant: number) =>
    modelWorkload(`EP${gpus} R${redundant}`, { gpus, experts, redundant, layers: 4 }, 256);
  return [
    graphWorkloadOfExperts("cube 8x2, 64 experts", topologies.cube8(), 8, 1024),
    graphWorkloadOfExperts("hypercube 16x2, 256 experts", topologies.hypercube16(), 16, 1024),
    ...[model(8, 64, 16), model(16, 128, 32), model(32, 256, 32)],
  ];
}

/** Runs the text on every LP of the batch. */
function countAll(work: Workload): CountedWork {
  const { layers, loads, batch, optimum } = work;
  const solves = layers.map(({ topology }) => countedSolve(topology));
  const works = Array.from({ length: batch }, (_, lp) => {
    const { work: done, maxLoad } = solves[lp % layers.length](loads, lp);
    if (maxLoad !== optimum.integer[lp]) throw new Error(`${work.name}, LP ${lp}: ${maxLoad} is not optimal.`);
    return done;
  });
  const mean = (of: (work: Work) => number) => works.reduce((sum, one) => sum + of(one), 0) / batch;
  const most = (of: (work: Work) => number) => works.reduce((largest, one) => Math.max(largest, of(one)), 0);
  return {
    operations: mean(({ operations }) => operations),
    mostOperations: most(({ operations }) => operations),
    divisions: mean(({ divisions }) => divisions),
    depth: mean((one) => one.depth),
    mostDepth: most((one) => one.depth),
    parallelism: mean((one) => one.operations / one.depth),
    statements: Math.max(...layers.map(({ topology }) => specialise(canonicalForm(topology)).statements)),
  };
}

/** The text of a topology's solve, counted on one LP. Equal speeds. */
export function countedSolve(topology: Topology): (loads: Loads, lp: number) => { work: Work; maxLoad: number } {
  if (!topology.equalSpeeds) throw new Error("At unequal speeds caps are the host's work, which is not counted.");
  const form = canonicalForm(topology);
  return (loads, lp) => {
    const own = loadsOfForm(topology, form.labels, loads, lp);
    const c = counter();
    const tokens = own.loads.map((members) => members.map(c.given));
    const { quotas } = solveForm(c, form, own.alone.map(c.given), tokens, evenCaps(c));
    const held = [...own.alone];
    for (const [e, gs] of form.shape.experts.entries()) {
      for (const member of quotas[e]) {
        for (const [r, slots] of member.entries()) for (const { value } of slots) held[gs[r]] += value;
      }
    }
    return { work: c.work(), maxLoad: Math.max(...held) };
  };
}

function inWords({ name, batch }: Workload, counted: CountedWork): string {
  const { operations, mostOperations, divisions, depth, mostDepth, parallelism, statements, cuda = {} } = counted;
  const compiled = Object.entries(cuda).map(
    ([architecture, { registers, stackBytes, spillStoreBytes, spillLoadBytes }]) =>
      `${architecture} ${registers} registers, ${spillStoreBytes} + ${spillLoadBytes} bytes spilt and read again, stack ${stackBytes}`,
  );
  return [
    `${name}, ${batch} LPs: ${operations.toFixed(0)} operations for one on average, ${mostOperations} at most, ${divisions.toFixed(1)} of them divisions`,
    `the longest chain ${depth.toFixed(0)} and ${mostDepth}, so ${parallelism.toFixed(1)} at once`,
    `${statements} statements of WGSL`,
    ...compiled,
  ].join("; ");
}
