/** Runs recorded programs: what a test writes into rows, and reads from them. */
import { LANES_BYTES } from "../../../src/lp/simd/program.ts";
import { type Recording, type Rows, recording, usedSteps, type Value } from "../../../src/lp/simd/recording.ts";
import { LANES, wasmModule } from "../../../src/lp/simd/wasm.ts";
import { masked } from "../../../src/lp/text/masked.ts";

const BYTES = 4096;
const COLUMNS = BYTES / 2 / LANES_BYTES;
const input: Rows = { start: 0, width: 4 * COLUMNS, unit: 4 };
const output: Rows = { start: BYTES / 2, width: 4 * COLUMNS, unit: 4 };

export type Lane = ReturnType<typeof masked<Value>>;

/**
 * What a program makes of whole numbers [inputs, lanes].
 *
 * @param write  Computes with the inputs.
 * @returns [outputs, lanes]
 */
export async function computed(
  inputs: readonly (readonly number[])[],
  write: (c: Lane, values: Value[], r: Recording) => Value[],
): Promise<number[][]> {
  const r = recording(10_000);
  const outputs = write(
    masked(r),
    inputs.map((_, i) => r.gather(input, i)),
    r,
  );
  for (const [i, value] of outputs.entries()) r.scatter(output, i, value);
  const { instance } = await WebAssembly.instantiate(wasmModule(usedSteps(r.steps), BYTES), { host: { call() {} } });
  const { memory, run } = instance.exports as unknown as { memory: WebAssembly.Memory; run(quad: number): void };
  const words = new Int32Array(memory.buffer);
  const at = (rows: Rows, column: number, lane: number) => rows.start / 4 + (lane * rows.width) / 4 + column;
  for (const [i, lanes] of inputs.entries()) {
    for (const [lane, value] of lanes.entries()) words[at(input, i, lane)] = value;
  }
  run(0);
  return outputs.map((_, i) => Array.from({ length: LANES }, (_, lane) => words[at(output, i, lane)]));
}
