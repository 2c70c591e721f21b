import u64 from "../../../shaders/common/u64.wgsl";
import params from "../../../shaders/lp/solve_params.wgsl";
import wgsl from "../../../shaders/lp/specialised.wgsl";
import tokenTime from "../../../shaders/lp/token_time.wgsl";
import wholeTime from "../../../shaders/lp/whole_time.wgsl";
import { type CompiledKernel, compile, type Kernel } from "../../gpu/pipeline.ts";
import { TooLong } from "../text/field.ts";
import type { Topology } from "../topology.ts";
import { type CanonicalForm, canonicalForm, labelLayout } from "./canonical.ts";
import { type Specialisation, specialise } from "./generate.ts";
import { lanesPerWorkgroup } from "./lane.ts";
import type { Variant } from "./variant.ts";

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
  const includes = equalSpeeds ? [params, generated] : [params, generated, wholeTime, tokenTime, u64];
  return compile(
    device,
    { ...specialisedKernel, variant: generated, includes },
    {},
    { EQUAL_SPEEDS: equalSpeeds ? 1 : 0, WG: lanesPerWorkgroup(device) },
  );
}

/** Statements of the generated code up to which a topology is compiled: about 64 GPUs with a redundant expert each; compiling it takes 10 s on a software adapter. */
export const MAX_STATEMENTS = 8192;

interface Generated {
  form: CanonicalForm;
  text: Specialisation;
}
/** The text is generated when it is asked whether there can be one, and forgotten once it is compiled. */
const generated = new WeakMap<Topology, Generated>();

function generate(topology: Topology): Generated {
  const form = canonicalForm(topology);
  return { form, text: specialise(form, MAX_STATEMENTS) };
}

export const specialised: Variant = {
  name: "specialised",
  refuses(_, topologies) {
    if (topologies.length > 1) return "it takes one topology";
    const [topology] = topologies;
    try {
      if (!generated.has(topology)) generated.set(topology, generate(topology));
      return undefined;
    } catch (error) {
      if (error instanceof TooLong) return `a solve takes more than ${MAX_STATEMENTS} statements`;
      throw error;
    }
  },
  async compile(device, [topology]) {
    const { form, text } = generated.get(topology) ?? generate(topology);
    generated.delete(topology);
    const { allGpus: gpus, experts, slots } = topology;
    return {
      compiled: await compileSpecialised(device, text),
      lpsPerWorkgroup: lanesPerWorkgroup(device),
      sizes: { topologies: 1, stride: 0, gpus, experts, slots },
      table: { name: "labels", data: labelTable(form) },
      tableOf: () => undefined, // another topology is another text
      note: `${text.statements} statements a solve`,
    };
  },
};
