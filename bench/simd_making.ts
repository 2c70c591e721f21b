/** Making a topology's WebAssembly program, as src/lp/simd/simd_solver.ts does it, with a clock between the stages. */
import { ownForm } from "../src/lp/kernels/canonical.ts";
import { simdProgram } from "../src/lp/simd/program.ts";
import { MAX_STEPS } from "../src/lp/simd/simd_solver.ts";
import { LANES } from "../src/lp/simd/wasm.ts";
import { magic, name, section } from "../src/lp/simd/wasm_format.ts";
import { quantiles } from "./timing.ts";
import type { Workload } from "./workloads.ts";

export interface Making {
  steps: number;
  /** Of the module. */
  bytes: number;
  generateMs: number;
  compileMs: number;
  /** Calls, and what they took, before they are as fast as later ones. */
  settledCalls: number;
  settledMs: number;
}

/** Calls are watched for so long; their second half tells the speed that they settle at. */
const WATCHED_MS = 250;
/** A speed is the median of so many calls, and the same within this factor. */
const WINDOW = 63;
const SAME = 1.1;

let made = 0;

/** Of the first layer's topology, on its first LPs. */
export async function makeProgram({ layers, loads }: Workload): Promise<Making> {
  const { topology } = layers[0];
  const begun = performance.now();
  const { bytes, layout, steps } = simdProgram(topology, ownForm(topology), LANES, MAX_STEPS);
  const generated = performance.now();
  const module = await WebAssembly.compile(unseen(bytes));
  const { exports } = await WebAssembly.instantiate(module, { host: { call() {} } });
  const compileMs = performance.now() - generated;
  const memory = new Int32Array((exports.memory as WebAssembly.Memory).buffer);
  // Of the LPs of all layers: numbers are as good as others where only time is asked for.
  memory.set(loads.expertLoad.subarray(0, LANES * topology.experts), layout.load.start / 4);
  if (loads.baseLoad) memory.set(loads.baseLoad.subarray(0, LANES * topology.gpus), layout.base.start / 4);
  const settled = settling(exports.run as (quad: number) => void);
  return { steps, bytes: bytes.length, generateMs: generated - begun, compileMs, ...settled };
}

/** Engines keep what they compiled for the same bytes: these get a section of their own that says nothing. */
function unseen(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const nothing = section(0, name(`made ${made++}`));
  return Uint8Array.from([...magic, ...nothing, ...bytes.subarray(magic.length)]);
}

/** Calls it for a while. */
function settling(run: (quad: number) => void): Pick<Making, "settledCalls" | "settledMs"> {
  const took: number[] = [];
  const ended: number[] = [];
  const begun = performance.now();
  for (let called = begun; called - begun < WATCHED_MS; called = ended[ended.length - 1]) {
    run(0);
    ended.push(performance.now());
    took.push(ended[ended.length - 1] - called);
  }
  const speedAt = (end: number) => quantiles(took.slice(end - WINDOW, end))(0.5);
  const final = quantiles(took.slice(-took.length / 2))(0.5);
  let calls = WINDOW;
  while (calls + WINDOW <= took.length && speedAt(calls) > SAME * final) calls += WINDOW;
  return { settledCalls: calls - WINDOW, settledMs: ended[calls - WINDOW] - begun };
}
