/** What `evenkeel export --target c` writes, compiled and run as a program of its own. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { exportedFiles } from "../src/cli/export/exported_files.ts";
import { Placement } from "../src/index.ts";
import main from "./exported_c_main.c";
import type { Method } from "./method.ts";
import { answerFrom, loadsOf } from "./ours.ts";
import type { Workload } from "./workloads.ts";

export const gccIsHere = spawnSync("gcc", ["--version"]).status === 0;

/** Timed by the program's own clock: nothing goes to and fro but a byte and a line. For workloads in replica form. */
export const exportedC: Method = {
  name: "exported C, gcc -O2",
  tokens: "integer",
  exact: true,
  async prepare(work) {
    const folder = mkdtempSync(join(tmpdir(), "evenkeel-c-"));
    const perLayer = build(folder, work);
    const program = spawn("./solve", ["loads", "quotas", String(perLayer)], { cwd: folder });
    const lines = createInterface(program.stdout)[Symbol.asyncIterator]();
    let ms = 0;
    return {
      async run() {
        program.stdin.write(".");
        const { value, done } = await lines.next();
        if (done) throw new Error(`${work.name}: the exported program ended.`);
        ms += Number(value) / 1e3;
      },
      clock: () => ms,
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
  },
};

/** Returns the LPs of each layer. */
function build(folder: string, work: Workload): number {
  const placements = work.layers.map(({ form }, layer): [number, Placement] => {
    if (!(form instanceof Placement))
      throw new Error(`${work.name} is not in replica form, which is what is exported.`);
    return [layer, form];
  });
  const files = exportedFiles(new Map(placements), "c", { version: "bench", file: work.name });
  for (const [file, text] of files) writeFileSync(join(folder, file), text);
  writeFileSync(join(folder, "main.c"), main);
  const options = ["-O2", "-std=c11", "-o", "solve", "evenkeel.c", "main.c"];
  const { status, stderr } = spawnSync("gcc", options, { cwd: folder, encoding: "utf8" });
  if (status !== 0) throw new Error(`gcc ${options.join(" ")}: ${stderr}`);
  const loads = work.layers.map((_, layer) => loadsOf(work, layer));
  writeFileSync(join(folder, "loads"), Int32Array.from(loads.flatMap(({ expertLoad }) => [...expertLoad])));
  return loads[0].batch;
}
