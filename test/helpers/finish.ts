/** Runs an exact finish of the shaders alone, in a small kernel around it. */
import { readFileSync } from "node:fs";
import type { CompiledKernel } from "../../src/gpu/pipeline.ts";
import { runKernel, unwritten } from "./kernel.ts";
import { device } from "./raw.ts";
import type { Start } from "./starts.ts";

export const fragment = (name: string) => readFileSync(new URL(`../../shaders/${name}`, import.meta.url), "utf8");

/** solve_params.wgsl with the limit of moves as a variable of the constant's value, so that one pipeline serves several limits. */
export const variableLimit = fragment("lp/solve_params.wgsl").replace(
  "const MOVE_LIMIT = ",
  "var<private> MOVE_LIMIT = ",
);

/** Lists of words one after the other, and where each begins: AT_NAME. */
export function listed(lists: Record<string, ArrayLike<number>>) {
  const at: Record<string, number> = {};
  const words: number[] = [];
  for (const [name, values] of Object.entries(lists)) {
    at[`AT_${name}`] = words.length;
    words.push(...Array.from(values));
  }
  return { at, words: Uint32Array.from(words) };
}

/** Of the small kernels around a finish: `cut` [G] in and out; `result` [R] tokens, then the moves. */
export const finishBindings = {
  topology: "read-only-storage",
  load: "read-only-storage",
  base: "read-only-storage",
  x: "read-only-storage",
  cut: "storage",
  result: "storage",
} as const;

export async function runFinish(
  kernel: CompiledKernel,
  topology: Uint32Array,
  { loads, x, member }: Start,
): Promise<{ kept: Int32Array; moves: number; member: Uint32Array }> {
  const arrays = {
    topology,
    load: loads.expertLoad as Int32Array,
    base: loads.baseLoad as Int32Array,
    x,
    cut: member,
    result: unwritten(x.length + 1),
  };
  const { cut, result } = await runKernel(device, kernel, arrays, [1, 1]);
  const words = new Int32Array(result.buffer);
  return { kept: words.subarray(0, x.length), moves: words[x.length], member: cut };
}
