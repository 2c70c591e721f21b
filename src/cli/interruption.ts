import { setImmediate } from "node:timers/promises";

const controller = new AbortController();

/** For library calls: aborted by Ctrl-C. */
export const interrupted = controller.signal;

/** Lets Ctrl-C in between two pieces of work that would not leave this task.  @throws the signal's reason, if it is aborted. */
export async function pause(signal: AbortSignal): Promise<void> {
  await setImmediate();
  signal.throwIfAborted();
}

/** What cannot be stopped between two pieces of work is ended after this. */
const GRACE_MS = 200;

/** Makes Ctrl-C end the process with the exit code: by way of the signal, or at once where nothing heeds it. */
export function exitOnInterrupt(exitCode: number): void {
  process.on("SIGINT", () => {
    if (interrupted.aborted) process.exit(exitCode); // asked twice
    process.exitCode = exitCode;
    controller.abort();
    setTimeout(() => process.exit(exitCode), GRACE_MS);
  });
}
