/** Base of every error that evenkeel throws on purpose: a mistake of the caller's or of the platform's, never a verdict of mathematics. */
export abstract class EvenkeelError extends Error {}

/** Shows what came instead of what was expected: short, and telling -0, NaN, strings and arrays apart. */
export function shown(value: unknown): string {
  if (Object.is(value, -0)) return "-0";
  if (typeof value === "number" || typeof value === "boolean" || value === undefined || value === null) {
    return String(value);
  }
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "string") return value.length > 40 ? `"${value.slice(0, 40)}..."` : `"${value}"`;
  if (Array.isArray(value) || (ArrayBuffer.isView(value) && "length" in value)) {
    return `${value.constructor.name} of length ${value.length}`;
  }
  return typeof value === "object" ? `an object of ${value.constructor?.name ?? "no class"}` : `a ${typeof value}`;
}

/** An argument is of the wrong type, length or range. Raised before anything is computed. */
export class ArgumentError extends EvenkeelError {
  constructor(
    readonly argument: string,
    readonly expected: string,
    actual: unknown,
    remedy?: string,
  ) {
    super(`${argument}: expected ${expected}, got ${shown(actual)}.${remedy ? ` ${remedy}` : ""}`);
  }
}

/** An array has the wrong length: "expertLoad: expected B * E = 2 * 32 = 64 values, got 60." */
export class ShapeError extends ArgumentError {}

/** A load, capacity or total is negative, not finite, or beyond the arithmetic. */
export class LoadError extends ArgumentError {}

/** A placement or graph does not describe replicas on GPUs: a hole, an edge to nowhere. */
export class PlacementError extends ArgumentError {}

/** No adapter, a lost device, or a required limit or feature is missing. */
export class DeviceError extends EvenkeelError {}

/** WGSL or pipeline validation failed: a bug in this package. Carries the compiler's messages. */
export class KernelError extends EvenkeelError {
  constructor(
    readonly kernel: string,
    readonly diagnostics: readonly string[],
    options?: ErrorOptions,
  ) {
    super(`${kernel}: ${diagnostics.join("\n")}`, options);
  }
}

/** Why backend "auto" answers from the CPU, of an error that is a reason to: no device, or one whose compiler refuses a kernel. */
export function whyNotWebgpu(error: unknown): string | undefined {
  if (error instanceof DeviceError) return error.message;
  return error instanceof KernelError ? `This device's compiler refuses a kernel: ${error.message}` : undefined;
}

/** Gives errors their names: as keys, since minifiers rename classes and leave keys alone; on the prototypes, as for JavaScript's own errors. */
export function nameErrors(named: Readonly<Record<string, { prototype: object }>>): void {
  for (const [name, { prototype }] of Object.entries(named)) {
    Object.defineProperty(prototype, "name", { value: name, configurable: true, writable: true });
  }
}
nameErrors({ EvenkeelError, ArgumentError, ShapeError, LoadError, PlacementError, DeviceError, KernelError });
