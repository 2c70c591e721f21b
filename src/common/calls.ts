import { ArgumentError } from "./errors.ts";

/** Throws unless what a long call is stopped with, and what it tells its progress to, are left out or what they must be. */
export function requireCalls({ signal, onProgress }: { signal?: unknown; onProgress?: unknown }, prefix = ""): void {
  if (signal !== undefined && typeof (signal as AbortSignal | null)?.throwIfAborted !== "function")
    throw new ArgumentError(`${prefix}signal`, "an AbortSignal", signal);
  if (onProgress !== undefined && typeof onProgress !== "function")
    throw new ArgumentError(`${prefix}onProgress`, "a function", onProgress);
}
