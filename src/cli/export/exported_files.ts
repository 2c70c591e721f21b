import { proofWords } from "../../lp/kernels/proof.ts";
import type { Placement } from "../../placement/placement.ts";
import { MADE_BY } from "../print/made.ts";
import { ranges } from "../print/words.ts";
import { type ExportedLayers, exportedLayers } from "./exported_layers.ts";
import { sourceOf, type Target } from "./exported_source.ts";
import callsC from "./text/calls_c.h";
import callsCuda from "./text/calls_cuda.h";
import contract from "./text/contract.h";
import loaderC from "./text/loader_c.py";
import loaderCuda from "./text/loader_cuda.py";
import makeC from "./text/make_c.mk";
import makeCuda from "./text/make_cuda.mk";

/** How the files came to be. */
export interface Origin {
  readonly version: string;
  /** The placements' file. */
  readonly file: string;
}

const parts = {
  c: { source: "evenkeel.c", calls: callsC, loader: loaderC, make: makeC },
  cuda: { source: "evenkeel.cu", calls: callsCuda, loader: loaderCuda, make: makeCuda },
};

/**
 * All that is exported, by the names of the files. The same placements and origin make the same files.
 *
 * @param placements  by the number of their layer, all of the same sizes.
 * @throws {ArgumentError} A solve is too long, or sizes differ.
 */
export function exportedFiles(
  placements: ReadonlyMap<number, Placement>,
  target: Target,
  origin: Origin,
): Map<string, string> {
  const exported = exportedLayers(placements);
  const { source, calls, loader, make } = parts[target];
  const made = madeOf(exported, origin);
  const comment = `/* ${made} */\n`;
  const head = `#ifndef EVENKEEL_H\n#define EVENKEEL_H\n${target === "c" ? "" : "#include <cuda_runtime.h>\n"}#include <stdint.h>\n`;
  const stack = String(stackKib(exported));
  const header = [comment + head, sizesInC(exported), "", contract, calls.replace("STACK", stack)].join("\n");
  return new Map([
    ["evenkeel.h", header],
    [source, `${comment}${sourceOf(exported, target)}`],
    ["evenkeel.py", `# ${made}\n${loader.replace("SIZES = {}\n", sizesInPython(exported))}`],
    ["Makefile", `# ${made}\n${make}`],
  ]);
}

function madeOf({ gpus, experts, slots, layers, forms }: ExportedLayers, { version, file }: Origin): string {
  const numbers = ranges(layers.map(({ number }) => number));
  const sizes = `${experts} experts in ${slots} slots of ${gpus} GPUs`;
  const solves = forms.length === 1 ? "one topology" : `${forms.length} topologies`;
  // The name of a file may be anything, the end of a comment too.
  const name = JSON.stringify(file.replace(/^.*[\\/]/, "")).replaceAll(/[^ -~]|\*\/|\/\*/g, "_");
  return `${MADE_BY} ${version} of ${name}, layers ${numbers}: ${sizes}, ${solves} up to labels. Do not edit: export again.`;
}

const named = ({ gpus, experts, slots, copies, layers }: ExportedLayers) =>
  [
    ["GPUS", gpus, "GPUs"],
    ["EXPERTS", experts, "logical experts of a layer"],
    ["SLOTS", slots, "physical slots of a layer, empty ones too"],
    ["COPIES", copies, "X, the most slots of any expert"],
    ["LAYERS", layers[layers.length - 1].number + 1, "one more than the last layer exported"],
    ["PROOF", proofWords(gpus), "words of a proof"],
  ] as const;

function sizesInC(exported: ExportedLayers): string {
  return named(exported)
    .map(([name, value, what]) => `#define EVENKEEL_${name} ${value} /* ${what} */`)
    .join("\n");
}

/** Also which expert each slot holds, so that a runtime can compare. */
function sizesInPython(exported: ExportedLayers): string {
  const constants = named(exported).map(([name, value, what]) => `${name} = ${value}  # ${what}`);
  const maps = exported.layers.map(
    ({ number, placement }) => `    ${number}: [${[...placement.physicalToLogical].join(", ")}],`,
  );
  return [
    ...constants,
    "PHYSICAL_TO_LOGICAL = {  # by layer: the expert in each slot, -1 in an empty one",
    ...maps,
    "}",
    "",
  ].join("\n");
}

/** Of a call, compiled with optimisation: vectors for the loads, base loads and quotas of four LPs, and up to 17 for each replica. */
function stackKib({ gpus, experts, slots, forms }: ExportedLayers): number {
  const replicas = Math.max(...forms.map(({ shape }) => shape.experts.flat().length));
  return Math.ceil((VECTOR_BYTES * (gpus + experts + slots + 17 * replicas)) / 1024) + 1;
}

const VECTOR_BYTES = 16;
