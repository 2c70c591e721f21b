import type { Trace } from "../trace/trace.ts";

/** Requests first to end - 1, which are bounded by themselves, on an axis that begins at `origin`. */
export interface Window {
  first: number;
  end: number;
  /** Rounds. */
  origin: number;
}

/** Rounds between a window's first and last arrival: what it works on stays a few arrays of some MB, on a GPU, too. */
const WINDOW_ROUNDS = 2 ** 20;
const WINDOW_REQUESTS = 2 ** 20;
/** KV tokens that are held in a round at the most, and counted modulo 2^32. */
const MOST_HELD = 2 ** 32;

/** @param one  Whether there is to be one window, however long. */
export function windowsOf({ requests, arrival, input, output }: Trace, one: boolean): Window[] {
  const windows: Window[] = [];
  let window: Window | undefined;
  let held = 0;
  for (let i = 0; i < requests; i++) {
    const peak = input[i] + output[i];
    const fits =
      window &&
      arrival[i] - window.origin < WINDOW_ROUNDS &&
      i - window.first < WINDOW_REQUESTS &&
      held + peak < MOST_HELD;
    if (!window || !(one || fits)) {
      window = { first: i, end: i, origin: arrival[i] };
      windows.push(window);
      held = 0;
    }
    held += peak;
    window.end = i + 1;
  }
  if (one && window) window.origin = 0; // a price that never rises is paid from the first round on
  return windows;
}
