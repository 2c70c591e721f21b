/** How long Dawn may ask in every turn of the event loop, in ms: a wait becomes no more than a quarter longer by what follows. */
const EAGER_MS = 4;
/** How long it sleeps from then on before it asks again, in ms: the shortest that timers know. */
const SLEEP_MS = 1;

let installed = false;

/**
 * Lets this process sleep while Dawn's device works. Dawn for Node asks whether it is done in every turn of the event loop,
 * by a `setImmediate` that it looks up among the globals each time, and so keeps a core busy for as long as a compilation or a
 * submission takes: half of all the CPU time where the device is SwiftShader, which wants that core itself. From EAGER_MS on it
 * asks every SLEEP_MS.
 *
 * Replaces a global, so it is for programs, not for a library in somebody else's. JavaScript's own immediates are as ever; other
 * functions in native code that ask again in each of their calls sleep like Dawn's.
 */
export function pollDawnSeldom(): void {
  if (installed || typeof globalThis.setImmediate !== "function") return; // not every runtime of the command line has it
  installed = true;
  const plain = globalThis.setImmediate;
  const later = globalThis.setTimeout;
  let asking = false;
  let begun = 0;
  const seldom = (callback: (...args: unknown[]) => void, ...args: unknown[]) => {
    if (!isNative(callback)) return plain(callback, ...args);
    const now = performance.now();
    if (!asking) begun = now; // not from within Dawn's last look: a new wait
    const ask = () => {
      asking = true;
      try {
        callback(...args);
      } finally {
        asking = false;
      }
    };
    return now - begun < EAGER_MS ? plain(ask) : later(ask, SLEEP_MS);
  };
  // With its name, and what util.promisify() looks for.
  globalThis.setImmediate = Object.defineProperties(seldom, Object.getOwnPropertyDescriptors(plain)) as typeof plain;
}

/** Of an addon: without a name, as bound functions are not, and without a text. */
function isNative(callback: unknown): boolean {
  if (typeof callback !== "function" || callback.name !== "") return false;
  return Function.prototype.toString.call(callback).endsWith("{ [native code] }");
}
