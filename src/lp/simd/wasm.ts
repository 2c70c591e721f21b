/**
 * A recorded program as a WebAssembly module: its values are locals, four lanes of 32 bits each, and steps become one instruction or a few.
 *
 * @see WebAssembly Core Specification 2.0, chapter 5, binary format.
 */

import { type Column, type Kind, lastUses, type Rows, type Step, type Value } from "./recording.ts";
import { magic, memoryExport, name, section, signed, simd, unsigned, vector, wasm } from "./wasm_format.ts";

/** LPs of a call. */
export const LANES = 4;
const PAGE_BYTES = 65_536;

/** Steps that are one instruction, by the kind of what they take. */
const instructions: Partial<Record<Step["is"], Partial<Record<Kind, number>>>> = {
  add: { real: simd.f32x4Add, whole: 0xae },
  sub: { real: 0xe5, whole: 0xb1 },
  mul: { real: 0xe6, whole: 0xb5 },
  div: { real: 0xe7 },
  // "Pseudo" minimum and maximum, which leave open what NaN makes of them and are one instruction of any machine.
  min: { real: 0xea, whole: 0xb6 },
  max: { real: 0xeb, whole: 0xb8 },
  negate: { real: 0xe1, whole: 0xa1 },
  less: { real: 0x43, whole: 0x39 },
  and: { mask: 0x4e },
  toReal: { whole: 0xfa },
};

/**
 * A module that exports its `memory` of so many bytes and `run(q)`, which does the steps for LPs 4 q to 4 q + 3; "call" calls the import
 * `host.call`.
 */
export function wasmModule(steps: readonly Step[], bytes: number): Uint8Array<ArrayBuffer> {
  const calls = steps.some(({ is }) => is === "call");
  const { code, pointers, locals } = new Writer(steps).write();
  const head = vector([
    [...unsigned(pointers), wasm.i32],
    [...unsigned(locals), wasm.v128],
  ]);
  const types = [
    [wasm.function, 0, 0], // () -> ()
    [wasm.function, 1, wasm.i32, 0], // (i32) -> ()
  ];
  const runBytes = unsigned(head.length + code.length + 1);
  return joined([
    magic,
    section(1, vector(types)),
    calls ? section(2, vector([[...name("host"), ...name("call"), 0, 0]])) : [],
    section(3, vector([[1]])),
    section(5, vector([[0, ...unsigned(Math.ceil(bytes / PAGE_BYTES))]])),
    section(7, vector([memoryExport, [...name("run"), 0, calls ? 1 : 0]])),
    [10, ...unsigned(1 + runBytes.length + head.length + code.length + 1), 1, ...runBytes],
    head,
    code,
    [wasm.end],
  ]);
}

/** Bytes of a module are many: they are copied once, and not value by value. */
function joined(parts: readonly number[][]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

class Writer {
  private readonly code: number[] = [];
  /** Of each kind of row, the local with the byte that the four rows of a call begin at, counted from the first. Local 0 is q. */
  private readonly pointerOf = new Map<number, number>();
  private readonly localOf = new Map<Value, number>();
  /** Locals whose values are used no more. */
  private readonly free: number[] = [];
  private locals = 0;
  private readonly open: ("if" | "loop")[] = [];

  constructor(private readonly steps: readonly Step[]) {}

  write(): { code: number[]; pointers: number; locals: number } {
    const { steps, pointerOf } = this;
    const columns = steps.flatMap((step) =>
      step.is === "gather" ? step.from : step.is === "scatter" ? step.into : [],
    );
    for (const { rows } of columns) if (!pointerOf.has(rows.width)) this.point(rows);
    const ending = lastUses(steps);
    for (const [at, step] of steps.entries()) {
      this.step(step);
      if ("to" in step) this.set(step.to);
      for (const value of ending[at]) this.free.push(this.localOf.get(value)!);
    }
    return { code: this.code, pointers: pointerOf.size, locals: this.locals };
  }

  private point({ width }: Rows): void {
    const local = 1 + this.pointerOf.size;
    this.pointerOf.set(width, local);
    this.code.push(wasm.localGet, 0, wasm.i32Const, ...signed(LANES * width), wasm.i32Mul, wasm.localSet, local);
  }

  private step(step: Step): void {
    switch (step.is) {
      case "constant":
        this.constant(step.to.kind, step.value);
        break;
      case "load":
        this.code.push(wasm.i32Const, 0);
        this.memory(simd.load, step.at);
        break;
      case "store":
        this.code.push(wasm.i32Const, 0);
        this.get(step.of[0]);
        this.memory(simd.store, step.at);
        break;
      case "gather":
        this.gather(step.from);
        break;
      case "scatter":
        this.scatter(step.into, step.of[0]);
        break;
      case "copy":
        this.get(step.of[0]);
        break;
      case "select":
        for (const i of [1, 2, 0]) this.get(step.of[i]);
        this.simd(simd.bitselect);
        break;
      case "round":
        this.round(step.of[0]);
        break;
      case "quotient":
        this.quotient(step.of[0], step.of[1]);
        break;
      case "if":
      case "leave":
      case "loop":
      case "end":
      case "call":
        this.flow(step);
        break;
      default:
        for (const value of step.of) this.get(value);
        this.simd(instructions[step.is]![step.of[0].kind]!);
    }
  }

  private flow(step: Step): void {
    const { code, open } = this;
    if ("of" in step) {
      this.get(step.of[0]);
      this.simd(simd.anyTrue);
    }
    if (step.is === "if") code.push(wasm.if, wasm.empty);
    if (step.is === "loop") code.push(wasm.block, wasm.empty, wasm.loop, wasm.empty);
    if (step.is === "leave") code.push(wasm.i32Eqz, wasm.brIf, 1);
    if (step.is === "call") code.push(wasm.call, 0);
    if (step.is === "if" || step.is === "loop") open.push(step.is);
    if (step.is === "end") code.push(...(open.pop() === "loop" ? [wasm.br, 0, wasm.end, wasm.end] : [wasm.end]));
  }

  private get(value: Value): void {
    this.code.push(wasm.localGet, ...this.local(value));
  }

  private set(value: Value): void {
    let local = this.localOf.get(value);
    if (local === undefined) {
      local = this.free.pop() ?? this.locals++;
      this.localOf.set(value, local);
    }
    this.code.push(wasm.localSet, ...this.local(value));
  }

  private local(value: Value): number[] {
    return unsigned(1 + this.pointerOf.size + this.localOf.get(value)!);
  }

  private simd(instruction: number): void {
    this.code.push(wasm.simd, ...unsigned(instruction));
  }

  /** Of the address on the stack plus `offset`, which need not be aligned. */
  private memory(instruction: number, offset: number): void {
    this.simd(instruction);
    this.code.push(0, ...unsigned(offset));
  }

  private gather({ rows, column }: Column): void {
    const pointer = this.pointerOf.get(rows.width)!;
    for (let lane = 0; lane < LANES; lane++) this.code.push(wasm.localGet, pointer);
    for (let lane = 0; lane < LANES; lane++) {
      this.memory(lane === 0 ? simd.load32Zero : simd.load32Lane, rows.start + lane * rows.width + column * rows.unit);
      if (lane > 0) this.code.push(lane);
    }
  }

  /** In bytes, the lowest of each lane. */
  private scatter({ rows, column }: Column, value: Value): void {
    for (let lane = 0; lane < LANES; lane++) {
      this.code.push(wasm.localGet, this.pointerOf.get(rows.width)!);
      this.get(value);
      const offset = rows.start + lane * rows.width + column * rows.unit;
      this.memory(rows.unit === 1 ? simd.store8Lane : simd.store32Lane, offset);
      this.code.push((lane * 4) / rows.unit);
    }
  }

  private constant(kind: Kind, value: number): void {
    const lane = new Uint8Array((kind === "real" ? Float32Array : Int32Array).of(value).buffer);
    this.simd(simd.constant);
    this.code.push(...lane, ...lane, ...lane, ...lane);
  }

  /** Of a value > -1/2. */
  private round(real: Value): void {
    this.get(real);
    this.constant("real", 1 / 2);
    this.simd(simd.f32x4Add);
    this.simd(simd.truncatedF32x4);
  }

  /** In f64, two lanes at a time: what is not whole is 2^-31 away from it at least, which f64 tells. */
  private quotient(a: Value, b: Value): void {
    for (const half of ["low", "high"] as const) {
      for (const value of [a, b]) {
        this.get(value);
        if (half === "high") this.shuffled(value, [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]);
        this.simd(simd.f64x2OfLow);
      }
      this.simd(simd.f64x2Div);
      this.simd(simd.truncatedF64x2);
    }
    this.simd(simd.shuffle);
    this.code.push(0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
  }

  /** Bytes of what is on the stack, and from 16 on of `other`. */
  private shuffled(other: Value, bytes: readonly number[]): void {
    this.get(other);
    this.simd(simd.shuffle);
    this.code.push(...bytes);
  }
}
