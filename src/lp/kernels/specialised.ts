import u64 from "../../../shaders/common/u64.wgsl";
import params from "../../../shaders/lp/solve_params.wgsl";
import wgsl from "../../../shaders/lp/specialised.wgsl";
import wholeTime from "../../../shaders/lp/whole_time.wgsl";
import { type CompiledKernel, compile, type Kernel } from "../../gpu/pipeline.ts";
import type { CanonicalForm } from "./canonical.ts";
import type { Specialisation } from "./generate.ts";
import { WORKGROUP } from "./lane.ts";

/** `solve` with the topology as code; bindings of the same names are the same buffers. */
export const specialisedKernel = {
  name: "specialised",
  wgsl,
  includes: [],
  bindings: {
    labels: "read-only-storage",
    load: "read-only-storage",
    base: "read-only-storage",
    quota: "storage",
    proof: "storage",
    params: "uniform",
  },
} satisfies Kernel;

/** Where the parts of a label table begin, in u32 words: whole vec4u each. The singles, a vec4u each, come last. */
export function labelLayout({ shape, slots }: Pick<CanonicalForm, "shape" | "slots">) {
  const whole = (words: number) => Math.ceil(words / 4) * 4;
  const expert = whole(shape.gpus);
  const slot = expert + whole(slots.flat().length);
  const singleStart = slot + whole(slots.flat(2).reduce((a, b) => a + b, 0));
  return { gpu: 0, expert, slot, singleStart, singles: singleStart + whole(shape.gpus + 1) };
}

/** The caller's labels as the kernel reads them: GPUs; experts with a choice and their slots, in the order of the form; singles by GPU. */
export function labelTable(form: CanonicalForm): Uint32Array<ArrayBuffer> {
  const { gpu, expert, slot, single } = form.labels;
  const at = labelLayout(form);
  const table = new Uint32Array(at.singles + 4 * single.flat().length);
  table.set(gpu, at.gpu);
  table.set(expert.flat(), at.expert);
  table.set(slot.flat(3), at.slot);
  let next = at.singles;
  for (const [g, singles] of single.entries()) {
    table[at.singleStart + g] = next / 4;
    for (const { expert, slot, ordinal, slots } of singles) {
      table.set([expert, slot, ordinal, slots], next);
      next += 4;
    }
  }
  table[at.singleStart + single.length] = next / 4;
  return table;
}

export function compileSpecialised(device: GPUDevice, specialisation: Specialisation): Promise<CompiledKernel> {
  const { wgsl: generated, equalSpeeds } = specialisation;
  const includes = equalSpeeds ? [params, generated] : [params, generated, wholeTime, u64];
  return compile(
    device,
    { ...specialisedKernel, variant: generated, includes },
    {},
    { EQUAL_SPEEDS: equalSpeeds ? 1 : 0, WG: WORKGROUP },
  );
}
