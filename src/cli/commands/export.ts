import { Command, Option } from "commander";
import packageJson from "../../../package.json" with { type: "json" };
import { exportedFiles } from "../export/exported_files.ts";
import { type Target, targets } from "../export/exported_source.ts";
import { requireFolder, writeFolder } from "../files/generated_folder.ts";
import { nameOf } from "../files/json_file.ts";
import { readNumberedPlacements } from "../files/read_files.ts";
import { gpusOption, integer } from "../options.ts";
import { count, paragraph, plural } from "../print/words.ts";
import { parseLayers } from "../reports/moe_layers.ts";

interface Options {
  gpus: number;
  target: Target;
  out: string;
  layers?: number[];
  experts?: number;
}

export function exportCommand(): Command {
  return new Command("export")
    .description("write the solver for a placement as C or CUDA, for runtimes that call no JavaScript")
    .argument(
      "<placement>",
      "placement as SGLang, vLLM, vllm-ascend, EPLB, LPLB or TensorRT-LLM have it (JSON or YAML), or rows of experts; - for standard input",
    )
    .addOption(gpusOption())
    .addOption(new Option("--target <language>", "what to write").choices(targets).makeOptionMandatory())
    .requiredOption("--out <folder>", "where to; files there that evenkeel made are replaced, others never")
    .addOption(
      new Option(
        "--layers <list>",
        "layers to export, as in 0,2-5: TensorRT-LLM's by their numbers, rows counted from 0; by default all",
      ).argParser(parseLayers),
    )
    .option("--experts <n>", "experts of a layer, where some have no slot", integer(1, 2 ** 20))
    .addHelpText(
      "after",
      "\nLayers that differ in nothing but the names of GPUs and experts share their code. Answers are those of `solve`, optimal to the token.",
    )
    .action(run);
}

async function run(file: string, { gpus, target, out, layers, experts }: Options): Promise<void> {
  requireFolder("--out", out);
  const placements = await readNumberedPlacements(file, { gpus, experts }, layers);
  const files = exportedFiles(placements, target, { version: packageJson.version, file: nameOf(file) });
  writeFolder("--out", out, files);
  const [{ logicalExperts, physicalExperts }] = placements.values();
  const sizes = `${plural(logicalExperts, "expert")} in ${plural(physicalExperts, "slot")} of ${plural(gpus, "GPU")}`;
  console.log(`${plural(placements.size, "layer")} of ${sizes}:`);
  for (const [name, content] of files) console.log(`${name.padEnd(12)} ${count(content.length).padStart(9)} bytes`);
  console.log(`\n${paragraph(`\`make -C ${quoted(out)}\` builds libevenkeel.so; evenkeel.h says what it promises.`)}`);
}

/** As a shell takes it for one word. */
const quoted = (path: string) => (/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);
