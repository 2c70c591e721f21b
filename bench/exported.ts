/** What `evenkeel export` writes, compiled and run as a program of its own. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { exportedFiles } from "../src/cli/export/exported_files.ts";
import type { Target } from "../src/cli/export/exported_source.ts";
import { Placement } from "../src/index.ts";
import mainC from "./exported_c_main.c";
import mainCuda from "./exported_cuda_main.cu";
import type { Method } from "./method.ts";
import { answerFrom, loadsOf } from "./ours.ts";
import type { Workload } from "./workloads.ts";

const runs = (command: string, argument: string) => spawnSync(command, [argument]).status === 0;

export const gccIsHere = runs("gcc", "--version");
/** A compiler, and a GPU to run on. */
export const cudaIsHere = () => runs("nvcc", "--version") && runs("nvidia-smi", "-L");

const programs: Record<Target, { main: string; compiler: string; options: string[] }> = {
  c: { main: mainC, compiler: "gcc", options: ["-O2", "-std=c11"] },
  cuda: { main: mainCuda, compiler: "nvcc", options: ["-O3", "-arch=native"] },
};

export const exportedC = exported("exported C, gcc -O2", "c");

/** From resident loads to resident quotas: wall time of launches and one wait for them, and GPU time between two events. */
export const exportedCuda = exported("exported CUDA", "cuda");

/** Folders of programs by the layers that they solve: batches of the same layers share one, since compiling takes seconds. */
const built: Record<Target, WeakMap<Workload["layers"], string>> = { c: new WeakMap(), cuda: new WeakMap() };

/** Timed by the program's own clocks: nothing goes to and fro but a byte and a line. For workloads in replica form. */
function exported(name: string, target: Target): Method {
  async function prepare(work: Workload) {
    const folder = temporaryFolder(target);
    const loads = work.layers.map((_, layer) => loadsOf(work, layer));
    const perLayer = loads[0].batch;
    writeFileSync(join(folder, "loads"), Buffer.concat(loads.map(({ expertLoad }) => Buffer.from(expertLoad.buffer))));
    const program = spawn(join(build(work, target), "solve"), ["loads", "quotas", String(perLayer)], { cwd: folder });
    const lines = createInterface(program.stdout)[Symbol.asyncIterator]();
    let ms = 0;
    let gpuUs = Number.NaN;
    return {
      async run() {
        program.stdin.write(".");
        const { value, done } = await lines.next();
        if (done) throw new Error(`${work.name}: the exported program ended.`);
        const [wallUs, onGpuUs] = (value as string).split(" ").map(Number);
        ms += wallUs / 1e3;
        gpuUs = onGpuUs;
      },
      clock: () => ms,
      ...(target === "cuda" && { gpuUs: () => gpuUs }),
      answer() {
        const { buffer } = Uint8Array.from(readFileSync(join(folder, "quotas")));
        const slots = work.layers[0].topology.slots;
        return answerFrom(work, (layer) => new Int32Array(buffer, layer * perLayer * slots * 4, perLayer * slots));
      },
      destroy() {
        program.stdin.end();
        rmSync(folder, { recursive: true });
      },
    };
  }
  return { name, tokens: "integer", exact: true, prepare };
}

const temporaryFolder = (target: Target) => mkdtempSync(join(tmpdir(), `evenkeel-${target}-`));

/** Returns the folder of the program. */
function build(work: Workload, target: Target): string {
  const known = built[target].get(work.layers);
  if (known !== undefined) return known;
  const folder = temporaryFolder(target);
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const placements = work.layers.map(({ form }, layer): [number, Placement] => {
    if (!(form instanceof Placement))
      throw new Error(`${work.name} is not in replica form, which is what is exported.`);
    return [layer, form];
  });
  const files = exportedFiles(new Map(placements), target, { version: "bench", file: work.name });
  for (const [file, text] of files) writeFileSync(join(folder, file), text);
  const { main, compiler, options } = programs[target];
  const ending = target === "c" ? "c" : "cu";
  writeFileSync(join(folder, `main.${ending}`), main);
  const all = [...options, "-o", "solve", `evenkeel.${ending}`, `main.${ending}`];
  const { status, stderr } = spawnSync(compiler, all, { cwd: folder, encoding: "utf8" });
  if (status !== 0) throw new Error(`${compiler} ${all.join(" ")}: ${stderr}`);
  built[target].set(work.layers, folder);
  return folder;
}
