/** Every kernel of the package with all that is compiled with it, as the rooms' kernels/ define them. */
import { readdirSync } from "node:fs";
import type { Kernel } from "../../src/gpu/pipeline.ts";
import { Placement } from "../../src/index.ts";
import { toTopology } from "../../src/lp/forms.ts";
import { canonicalForm } from "../../src/lp/kernels/canonical.ts";
import { specialise } from "../../src/lp/kernels/generate.ts";
import { specialisedKernel } from "../../src/lp/kernels/specialised.ts";
import { analysed, fragments, kernels, type Shader } from "./wgsl.ts";

export const rooms = ["lp", "balancer", "serving"];

const root = new URL("../../", import.meta.url);
export const everything: readonly Shader[] = [...kernels, ...fragments];

/** Names of the files of a folder that end so, without the ending. */
export const stems = (folder: string, ending: string) =>
  readdirSync(new URL(folder, root))
    .filter((file) => file.endsWith(ending))
    .map((file) => file.slice(0, -ending.length));

const isKernel = (value: unknown): value is Kernel => typeof (value as Kernel | undefined)?.wgsl === "string";
/** A file in kernels/ that exports none is a part of others. */
export const defined: { room: string; stem: string; kernel: Kernel }[] = [];
for (const room of rooms) {
  for (const stem of stems(`src/${room}/kernels`, ".ts")) {
    const exported = Object.values(await import(`../../src/${room}/kernels/${stem}.ts`));
    defined.push(...exported.filter(isKernel).map((kernel) => ({ room, stem, kernel })));
  }
}

/** The generated text of *specialised*, at unequal speeds: then it has most fragments. */
const generated = specialise(
  canonicalForm(toTopology(Placement.fromPhysicalToLogical([0, 1, 1, 0], { gpus: 2 }), [1, 2])),
).wgsl;
const textOf = (path: string) => everything.find((shader) => shader.path === path)!.text;
const withGenerated = [
  textOf("lp/solve_params.wgsl"),
  generated,
  textOf("lp/whole_time.wgsl"),
  textOf("lp/token_time.wgsl"),
  textOf("common/u64.wgsl"),
];

export interface Program {
  readonly kernel: Kernel;
  /** The kernel's own file. */
  readonly own: Shader;
  /** That file, and the fragments. */
  readonly files: readonly Shader[];
  readonly generated: ReturnType<typeof analysed> | undefined;
}

export const programs: readonly Program[] = defined.map(({ kernel }) => {
  const own = everything.find(({ text }) => kernel.wgsl.endsWith(text))!;
  const isGenerated = kernel === specialisedKernel;
  const includes = isGenerated ? withGenerated : kernel.includes;
  const shared = includes
    .filter((text) => text !== generated)
    .map((text) => fragments.find((one) => one.text === text)!);
  return {
    kernel: { ...kernel, includes },
    own,
    files: [own, ...shared],
    generated: isGenerated ? analysed(generated) : undefined,
  };
});
