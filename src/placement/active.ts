/** Which GPUs are alive: what the solvers, the balancer and `certify` take as `active`. */
import { ArgumentError, ShapeError } from "../common/errors.ts";

/** [gpus] true or 1: alive; false or 0: dead, and gets nothing. Read, never written or kept. */
export type Active = ArrayLike<boolean | number>;

export interface Activity {
  /**
   * [gpus] GPUs that are alive, all of them by default. A dead one gets no tokens, its base load is ignored, its load and price are 0 and it is in no
   * bottleneck; an expert that has no slot on a living GPU is lost: its tokens are not served. In the replica form.
   */
  active?: Active;
}

/** [G] 1 where a GPU is alive; undefined where nothing was said. Throws as `requireActive`. */
export function checkActive(active: Active | undefined, gpus: number, argument?: string): Uint8Array | undefined {
  return active === undefined ? undefined : requireActive(active, gpus, argument);
}

/**
 * [G] 1 where a GPU is alive.
 *
 * @throws {ArgumentError | ShapeError} It is no list of G true or false, 1 or 0, or no GPU is alive.
 */
export function requireActive(active: Active, gpus: number, argument = "active"): Uint8Array {
  requireListed(argument, active);
  if (active.length !== gpus) throw new ShapeError(argument, `gpus = ${gpus} values`, active.length);
  const alive = new Uint8Array(gpus);
  for (let g = 0; g < gpus; g++) {
    if (![true, false, 1, 0].includes(active[g])) {
      throw new ArgumentError(`${argument}[${g}]`, "true or 1 for alive, false or 0 for dead", active[g]);
    }
    alive[g] = Number(active[g]);
  }
  if (!alive.includes(1)) throw new ArgumentError(argument, "a GPU that is alive", "none");
  return alive;
}

/** What was given with a problem or graph, or as an option: in both places only if it is the same. */
export function oneActive(
  given: Active | undefined,
  option: Active | undefined,
  name = "options.active",
): Active | undefined {
  if (given === undefined) return option;
  if (option === undefined) return given;
  requireListed("active", given);
  requireListed(name, option);
  if (given.length !== option.length || Array.from(given).some((alive, g) => Number(alive) !== Number(option[g]))) {
    throw new ArgumentError(name, "none, or the same GPUs as with the problem", "others");
  }
  return given;
}

/** A graph does not say what lives where. @throws {ArgumentError} It says which GPUs are alive all the same. */
export function refuseActive(graph: object): void {
  const { active } = graph as Activity;
  if (active === undefined) return;
  throw new ArgumentError(
    "active",
    "none in the edge form",
    active,
    "The replica form says which experts a GPU holds.",
  );
}

function requireListed(argument: string, active: unknown): asserts active is Active {
  if (Array.isArray(active) || (ArrayBuffer.isView(active) && !(active instanceof DataView))) return;
  throw new ArgumentError(argument, "an array or TypedArray of true or false, 1 or 0", active);
}
