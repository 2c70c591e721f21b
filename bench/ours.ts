/** evenkeel's own solvers as methods, all through the public interface. */

import { createSolver, Placement, type Solver } from "../src/index.ts";
import type { KernelChoice } from "../src/lp/kernels/choices.ts";
import { proofWords } from "../src/lp/kernels/proof.ts";
import type { EdgeLoads, ReplicaLoads, TokenMode } from "../src/lp/problem.ts";
import type { EdgeSolution, ReplicaSolution } from "../src/lp/solution.ts";
import type { Topology } from "../src/lp/topology.ts";
import { benchJob, runningJob } from "./gpu_job.ts";
import type { Answer, Method, Prepared } from "./method.ts";
import type { Layer, Workload } from "./workloads.ts";

export type KernelName = Exclude<KernelChoice, "auto">;

/** `encode` on resident buffers, then one readback: what the GPU baselines are timed on, too. A dispatch per layer, one submit. */
export function evenkeel(device: GPUDevice, kernel: KernelName): Method {
  async function prepare(work: Workload): Promise<Prepared> {
    const { layers, gpus } = work;
    const solvers = await Promise.all(layers.map(({ form }) => solverFor(form, { backend: "webgpu", device, kernel })));
    const loads = layers.map((_, layer) => loadsOf(work, layer));
    const contents: Record<string, number | Int32Array> = {};
    for (const [layer, { topology }] of layers.entries()) {
      const { batch, expertLoad, baseLoad } = loads[layer];
      contents[`expertLoad ${layer}`] = expertLoad;
      if (baseLoad) contents[`baseLoad ${layer}`] = baseLoad;
      contents[`quota ${layer}`] = batch * topology.slots * 4;
      contents[`proof ${layer}`] = batch * proofWords(gpus) * 4;
    }
    const outputs = layers.flatMap((_, layer) => [`quota ${layer}`, `proof ${layer}`]);
    const job = benchJob(device, contents, outputs);
    const given = loads.map(({ batch, baseLoad }, layer) => ({
      batch,
      expertLoad: job.buffers[`expertLoad ${layer}`],
      baseLoad: baseLoad && job.buffers[`baseLoad ${layer}`],
      quota: job.buffers[`quota ${layer}`],
      proof: job.buffers[`proof ${layer}`],
    }));
    const running = runningJob(job, (encoder) => {
      for (const [layer, solver] of solvers.entries()) solver.encode(encoder, given[layer]);
    });
    return {
      ...running,
      answer: () => answerFrom(work, (layer) => running.words(`quota ${layer}`)),
      destroy() {
        running.destroy();
        for (const solver of solvers) solver.destroy();
      },
    };
  }
  return { name: `evenkeel ${kernel}`, tokens: "integer", exact: true, prepare };
}

/** The kernels that take small topologies; not *group* on a software adapter, whose barriers take most of its time. */
export function evenkeelKernels({ device, software }: { device: GPUDevice; software: boolean }): Method[] {
  const names: KernelName[] = software ? ["specialised", "lane"] : ["specialised", "lane", "group"];
  return names.map((name) => evenkeel(device, name));
}

/** `solve` from end to end: checks, upload, submit, readback, and every answer judged in f64. */
export function evenkeelSolve(
  backend: "auto" | "webgpu" | "cpu",
  options: { device?: GPUDevice; kernel?: KernelName; tokens?: TokenMode; level?: boolean; threads?: number },
): Method {
  const { device, kernel, tokens = "integer", level = false, threads } = options;
  const mode = `${tokens === "integer" ? "" : `, ${tokens}`}${level ? ", level" : ""}`;
  const shared = threads === undefined ? "" : `, threads ${threads}`;
  const name = `evenkeel solve(), ${backend}${kernel ? ` ${kernel}` : ""}${mode}${shared}`;
  return solveMethod(name, { tokens, level, onGpu: backend !== "cpu" }, async (work) => {
    const solvers = await Promise.all(
      work.layers.map(({ form }) => solverFor(form, { backend, device, kernel, threads })),
    );
    if (backend === "auto") {
      for (const [i, solver] of solvers.entries()) {
        await solver.solve(givenLoads(work, i), { tokens, level }); // what it times the backends on
        await solver.ready;
      }
    }
    return solvers;
  });
}

/** The same call where there is no WebAssembly, and so the exact solver answers: what it took before there was a program. */
export const evenkeelSolveExact: Method = solveMethod(
  "evenkeel solve(), exact JavaScript",
  { tokens: "integer", level: false, onGpu: false },
  async (work) => {
    const there = Object.getOwnPropertyDescriptor(globalThis, "WebAssembly")!;
    Reflect.deleteProperty(globalThis, "WebAssembly");
    try {
      const solvers = await Promise.all(work.layers.map(({ form }) => solverFor(form, { backend: "cpu" })));
      for (const { plan } of solvers) if (plan.kernel !== "cpu") throw new Error(`Not exact: ${plan.reason}`);
      return solvers;
    } finally {
      Object.defineProperty(globalThis, "WebAssembly", there);
    }
  },
);

type AnySolver = Solver<EdgeLoads | ReplicaLoads, EdgeSolution | ReplicaSolution>;

function solveMethod(
  name: string,
  { onGpu, ...options }: { tokens: TokenMode; level: boolean; onGpu: boolean },
  solversFor: (work: Workload) => Promise<AnySolver[]>,
): Method {
  async function prepare(work: Workload): Promise<Prepared> {
    const solvers = await solversFor(work);
    const given = work.layers.map((_, layer) => givenLoads(work, layer));
    const solutions: (EdgeSolution | ReplicaSolution)[] = [];
    return {
      onGpu,
      async run() {
        for (const [i, solver] of solvers.entries()) solutions[i] = await solver.solve(given[i], options);
      },
      answer() {
        const quotas = solutions.map((solution, i) =>
          "quota" in solution ? solution.quota : bothEnds(loadsOf(work, i).expertLoad, solution.flow),
        );
        return answerFrom(work, (layer) => quotas[layer]);
      },
      destroy() {
        for (const solver of solvers) solver.destroy();
      },
    };
  }
  return { name, tokens: options.tokens, exact: true, prepare };
}

/** A solver of either form that has reached its best kernel; loads must be of its form. */
export async function solverFor(
  form: Layer["form"],
  options: { backend?: "auto" | "webgpu" | "cpu"; device?: GPUDevice; kernel?: KernelName; threads?: number },
): Promise<AnySolver> {
  const solver = form instanceof Placement ? await createSolver(form, options) : await createSolver(form, options);
  await solver.ready;
  if (options.kernel && solver.plan.kernel !== options.kernel) {
    throw new Error(`Asked for kernel "${options.kernel}", got "${solver.plan.kernel}": ${solver.plan.reason}`);
  }
  return solver as AnySolver;
}

/** The LPs of one layer, in replica form. */
export function loadsOf({ layers, loads, gpus }: Workload, layer: number) {
  const { experts } = layers[layer].topology;
  const own = Array.from({ length: loads.batch }, (_, lp) => lp).filter((lp) => lp % layers.length === layer);
  const rows = (values: Int32Array | Float64Array, width: number) => {
    const copied = new Int32Array(own.length * width);
    for (const [row, lp] of own.entries()) copied.set(values.subarray(lp * width, (lp + 1) * width), row * width);
    return copied;
  };
  const { expertLoad, baseLoad } = loads;
  return { batch: own.length, expertLoad: rows(expertLoad, experts), baseLoad: baseLoad && rows(baseLoad, gpus) };
}

/** The LPs of one layer in the form that `solve` takes. */
export function givenLoads(work: Workload, layer: number): EdgeLoads | ReplicaLoads {
  const { form } = work.layers[layer];
  const { batch, expertLoad, baseLoad } = loadsOf(work, layer);
  if (form instanceof Placement) return { expertLoad, baseLoad };
  const { gpus, edges } = form;
  const load = Int32Array.from(baseLoad ?? new Int32Array(batch * gpus));
  for (let p = 0; p < batch; p++) {
    for (const [e, [from]] of edges.entries()) load[p * gpus + from] += expertLoad[p * edges.length + e];
  }
  return { load, capacity: expertLoad };
}

/** Tokens that stay and tokens that move, per edge: the slots of the edge form. */
function bothEnds(capacity: Int32Array, flow: Int32Array | Float64Array): Float64Array {
  return Float64Array.from({ length: 2 * flow.length }, (_, slot) => {
    const moved = flow[slot >> 1];
    return slot % 2 === 1 ? moved : capacity[slot >> 1] - moved;
  });
}

/** From quotas per slot, a row per LP of the layer, to tokens per replica. */
export function answerFrom({ layers }: Workload, quotaOf: (layer: number) => ArrayLike<number>): Answer {
  return (lp) => {
    const layer = lp % layers.length;
    const { slots, slotReplica, replicaGpu }: Topology = layers[layer].topology;
    const quota = quotaOf(layer);
    const row = Math.floor(lp / layers.length) * slots;
    const x = new Float64Array(replicaGpu.length);
    for (let p = 0; p < slots; p++) x[slotReplica[p]] += quota[row + p];
    return x;
  };
}
