import { ArgumentError } from "../../common/errors.ts";
import { TooLong } from "../../lp/text/field.ts";
import type { Placement } from "../../placement/placement.ts";
import { lanes, thread } from "./control_flow.ts";
import { type ExportedLayers, exportedLayers } from "./exported_layers.ts";
import { solveFunction } from "./solve_function.ts";
import evenkeelC from "./text/evenkeel.c";
import evenkeelCuda from "./text/evenkeel.cu";
import lanesText from "./text/lanes.c";
import sharesText from "./text/shares.c";
import singlesText from "./text/singles.c";
import threadsText from "./text/threads.cu";

export const targets = ["c", "cuda"] as const;
export type Target = (typeof targets)[number];

/** Statements of a layer's solve up to which it is exported: at 320 GPUs with 64 redundant experts, of 25,000, gcc takes 20 s, nvcc 90. */
export const MAX_STATEMENTS = 32_768;

const parts = {
  c: { before: lanesText, after: evenkeelC, control: lanes },
  cuda: { before: threadsText, after: evenkeelCuda, control: thread },
};

/**
 * evenkeel.c or evenkeel.cu, without the comment on its origin: all of the solver for some placements, for use with evenkeel.h.
 *
 * @param placements  by the number of their layer, all of the same sizes.
 * @throws {ArgumentError} A solve is too long, or sizes differ.
 */
export function exportedSource(placements: ReadonlyMap<number, Placement>, target: Target): string {
  return sourceOf(exportedLayers(placements), target);
}

export function sourceOf(exported: ExportedLayers, target: Target): string {
  const { before, after, control } = parts[target];
  const { forms, layers, labels, slotsOf } = exported;
  const functions = forms.map((form, i) => {
    try {
      return solveFunction(form, `solve_${i}`, control, MAX_STATEMENTS);
    } catch (error) {
      if (!(error instanceof TooLong)) throw error;
      const { number } = layers.find((layer) => layer.form === i)!;
      throw new ArgumentError(`layer ${number}`, `a solve of at most ${MAX_STATEMENTS} statements`, "more");
    }
  });
  const tables = [
    ...labels.map((values, i) => table(`labels_${i}`, values)),
    ...slotsOf.map((values, i) => table(`copies_${i}`, values)),
  ];
  return [
    '#include "evenkeel.h"\n#include <stddef.h>\n#include <string.h>\n\n#define WORDS (EVENKEEL_PROOF - 3) /* of a set of GPUs */',
    ...[before, singlesText, "", ...functions, "", ...tables, layerTables(exported), sharesText, after],
  ]
    .join("\n")
    .replaceAll(/\n{3,}/g, "\n\n");
}

/** A table in C, in lines of at most 120 characters. */
function table(name: string, values: readonly number[]): string {
  return [`TABLE int32_t ${name}[] = {`, ...wrapped(values.map(String)), "};"].join("\n");
}

function wrapped(items: readonly string[]): string[] {
  const lines = [""];
  for (const item of items) {
    if (lines[lines.length - 1].length + item.length > 116) lines.push("");
    lines[lines.length - 1] += ` ${item},`;
  }
  return lines.map((line) => ` ${line}`);
}

function layerTables({ layers, forms }: ExportedLayers): string {
  const count = layers[layers.length - 1].number + 1;
  const known = new Map(layers.map((layer) => [layer.number, layer]));
  const numbers = Array.from({ length: count }, (_, number) => known.get(number));
  const rows = numbers.map((layer) => (layer ? `{labels_${layer.label}, copies_${layer.slots}}` : "{0, 0}"));
  return [
    "",
    "/* By layer: its tables, and its solve_N, -1 where it was not exported. */",
    `TABLE struct layer layers[EVENKEEL_LAYERS] = {\n${wrapped(rows).join("\n")}\n};`,
    `static const int32_t forms[EVENKEEL_LAYERS] = {\n${wrapped(numbers.map((layer) => String(layer?.form ?? -1))).join("\n")}\n};`,
    `#define FORMS(EACH) ${forms.map((_, i) => `EACH(${i})`).join(" ")}`,
  ].join("\n");
}
