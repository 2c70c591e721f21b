/** A state as the fragment of a link, and back: `v=1&gpus=16&seed=3`, what is as at first left out. */
import { ArgumentError } from "../../src/common/errors.ts";
import { fields, initial, type State } from "./state.ts";

const VERSION = "1";
/** Of a fragment: mail and chat programs cut or refuse much longer links. */
export const MOST_CHARACTERS = 16_000;

export interface Link {
  fragment: string;
  /** What the reader should know of it: that files are not in it, as they are too large. */
  warning?: string;
}

export function linkOf(state: State): Link {
  const fragment = written(state);
  if (fragment.length <= MOST_CHARACTERS) return { fragment };
  const length = fragment.length.toLocaleString("en");
  const most = MOST_CHARACTERS.toLocaleString("en");
  const warning = `The link has no file in it: with it, it would have ${length} characters, more than ${most}.`;
  return { fragment: written(withoutLists(state)), warning };
}

/** What others can open: loads of the generator, and a placement that needs no map. */
function withoutLists(state: State): State {
  const { place, loads, gpus, experts, redundant, map, slots, placementFile, expected, batch, loadsFile } = initial;
  const shared = { ...state, map, slots, placementFile, expected, batch, loadsFile };
  if (state.loads === "file") shared.loads = loads;
  return state.place === "file" ? { ...shared, place, gpus, experts, redundant, speed: [], dead: [] } : shared;
}

function written(state: State): string {
  const parts = [`v=${VERSION}`];
  for (const name of names) {
    const text = textOf(name, state);
    if (text !== textOf(name, initial)) parts.push(`${name}=${encodeURIComponent(text).replaceAll("%2C", ",")}`);
  }
  return parts.join("&");
}

const names = Object.keys(fields) as (keyof State)[];
const textOf = <Name extends keyof State>(name: Name, state: State) => fields[name].write(state[name]);

/**
 * @param fragment  without its #; an empty one is the state at first.
 * @throws {ArgumentError} It is of another version, has a field that nobody knows or twice, or a value that its field cannot have.
 */
export function stateOf(fragment: string): State {
  if (fragment === "") return initial;
  const given = new URLSearchParams(fragment);
  const version = given.get("v");
  if (version !== VERSION)
    throw new ArgumentError("v", `${VERSION}, the version of links that this page knows`, version);
  given.delete("v");
  const read: Partial<Record<keyof State, unknown>> = {};
  for (const [name, text] of given) {
    if (!isName(name)) throw new ArgumentError("the link", `fields among ${names.join(", ")}`, name);
    if (name in read) throw new ArgumentError(name, "one value", "two");
    read[name] = fields[name].read(name, text);
  }
  return { ...initial, ...(read as Partial<State>) };
}

const isName = (name: string): name is keyof State => Object.hasOwn(fields, name);
