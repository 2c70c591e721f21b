/** Solves whole-token LPs by a WebAssembly program made for their topology, four at a time. A chunk of its own, loaded on use. */
import { cutBound, wholeTokensBy } from "../cut.ts";
import { ownForm } from "../kernels/canonical.ts";
import type { Loads } from "../problem.ts";
import type { RawSolution } from "../solution.ts";
import { TooLong } from "../text/field.ts";
import type { Topology } from "../topology.ts";
import { LANES_BYTES, type Layout, livingOf, type Program, type Question, simdProgram } from "./program.ts";
import type { Rows } from "./recording.ts";
import { LANES } from "./wasm.ts";

/** Of a program: EP320 with 64 redundant experts, or a ring of 190 GPUs. */
export const MAX_STEPS = 32_768;
/** LPs whose rows the program's memory holds: few enough to stay in a cache, enough that a copy is no call for each. */
export const LPS = 64;

export interface SimdSolver {
  /** Answers LPs first to end - 1 of whole-token loads. An answer does not depend on the LPs beside it. */
  solve(loads: Loads, first: number, end: number, raw: RawSolution): void;
  readonly compiled: Compiled;
}

/** What a solver is made of: another thread can be sent it, and makes one that answers the same. */
export interface Compiled extends Omit<Program, "bytes"> {
  readonly module: WebAssembly.Module;
  /** Of the living GPUs, as the program numbers them. */
  readonly speeds: readonly number[];
}

/** A solver for the topology, or why there is none: WebAssembly or its SIMD is not there or not allowed, or the topology is too large. */
export async function simdSolver(topology: Topology): Promise<SimdSolver | { readonly reason: string }> {
  if (typeof WebAssembly !== "object") return { reason: "there is no WebAssembly." };
  try {
    const form = ownForm(topology);
    const { bytes, ...program } = simdProgram(topology, form, LPS, MAX_STEPS);
    const speeds = livingOf(topology, form).map((g) => topology.speed[g]);
    return await solverOf({ ...program, speeds, module: await WebAssembly.compile(bytes) });
  } catch (error) {
    if (error instanceof TooLong) return { reason: `a solve takes ${error.message}.` };
    return { reason: `WebAssembly does not compile here: ${(error as Error).message}` };
  }
}

export async function solverOf(compiled: Compiled): Promise<SimdSolver> {
  const { module, layout, speeds } = compiled;
  let memory = new Int32Array(0);
  const call = () => answerCaps(layout.question, speeds, memory);
  const { exports } = await WebAssembly.instantiate(module, { host: { call } });
  memory = new Int32Array((exports.memory as WebAssembly.Memory).buffer);
  return new QuadSolver(compiled, memory, exports.run as (quad: number) => void);
}

/** What each GPU may hold by the time that a set proves, in lanes that ask. */
function answerCaps({ asks, inside, set, caps }: Question, speed: readonly number[], memory: Int32Array): void {
  for (let lane = 0; lane < LANES; lane++) {
    const at = (start: number, g = 0) => (start + g * LANES_BYTES) / 4 + lane;
    if (memory[at(asks)] === 0) continue;
    const speeds = speed.filter((_, g) => memory[at(set, g)] === 1);
    const t = cutBound(memory[at(inside)], speeds, "integer");
    for (const [g, v] of speed.entries()) {
      memory[at(caps, g)] = Math.max(-(2 ** 31), Math.min(wholeTokensBy(t, v), 2 ** 31 - 1));
    }
  }
}

class QuadSolver implements SimdSolver {
  private readonly layout: Layout;
  private readonly bytes: Uint8Array;
  /** Whether base loads of another call lie in memory. */
  private based = false;

  constructor(
    readonly compiled: Compiled,
    private readonly memory: Int32Array,
    private readonly run: (quad: number) => void,
  ) {
    this.layout = compiled.layout;
    this.bytes = new Uint8Array(memory.buffer);
  }

  solve(loads: Loads, first: number, end: number, raw: RawSolution): void {
    for (let lp = first; lp < end; lp += LPS) this.solveSome(loads, lp, Math.min(LPS, end - lp), raw);
  }

  private solveSome({ expertLoad, baseLoad }: Loads, first: number, count: number, raw: RawSolution): void {
    const { load, base, quota, member, sweeps, moves } = this.layout;
    const { memory, bytes } = this;
    const quads = Math.ceil(count / LANES);
    this.put(load, expertLoad, first, count);
    if (baseLoad) this.put(base, baseLoad, first, count);
    else if (this.based) memory.fill(0, base.start / 4, (base.start + LPS * base.width) / 4);
    this.based = baseLoad !== undefined;
    for (let quad = 0; quad < quads; quad++) this.run(quad);
    raw.quota.set(words(memory, quota, count), (first * quota.width) / 4);
    raw.member.set(bytes.subarray(member.start, member.start + count * member.width), first * member.width);
    raw.iterations.set(words(memory, sweeps, count), first);
    raw.moves.set(words(memory, moves, count), first);
  }

  /** Rows of the caller's; those that fill up the last call are of LPs without tokens. */
  private put(rows: Rows, values: Loads["expertLoad"], first: number, count: number): void {
    const { memory } = this;
    const [start, width] = [rows.start / 4, rows.width / 4];
    memory.set(values.subarray(first * width, (first + count) * width), start);
    const whole = Math.ceil(count / LANES) * LANES;
    if (whole > count) memory.fill(0, start + count * width, start + whole * width);
  }
}

function words(memory: Int32Array, { start, width }: Rows, count: number): Int32Array {
  return memory.subarray(start / 4, (start + count * width) / 4);
}
