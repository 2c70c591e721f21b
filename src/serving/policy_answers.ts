import { ArgumentError } from "../common/errors.ts";

/** Throws unless it is a policy, rather than, say, the function that makes one. */
export function requirePolicy(argument: string, policy: unknown): void {
  const { name, create } = (policy ?? {}) as { name?: unknown; create?: unknown };
  if (typeof create === "function" && typeof name === "string") return;
  const remedy = typeof policy === "function" ? "Call it: it makes a policy." : undefined;
  throw new ArgumentError(argument, "a policy, { name, create }", policy, remedy);
}

/** Throws unless a policy has set so many at most. */
export function requireCount(method: string, count: unknown, most: number): void {
  if (typeof count === "number" && Number.isInteger(count) && count >= 0 && count <= most) return;
  throw new ArgumentError(method, `how many it has set, an integer from 0 to ${most}`, count);
}

/** Throws unless what a policy has made has these methods. */
export function requireMethods(made: string, object: unknown, methods: readonly string[]): void {
  const has = (name: string) => typeof (object as Record<string, unknown> | null)?.[name] === "function";
  if (typeof object === "object" && methods.every(has)) return;
  throw new ArgumentError(made, `an object with ${methods.join(", ")}`, object);
}
