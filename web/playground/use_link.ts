import { useEffect, useState } from "preact/hooks";
import { type Link, linkOf, stateOf } from "./link.ts";
import { questionOf } from "./question.ts";
import { initial, type State } from "./state.ts";

/** Browsers refuse more than a few changes of the address a second. */
const REST_MS = 300;

/** The state that the address has, or the first one and why the address has none. */
export function stateOfAddress(): { state: State; error?: string } {
  try {
    const state = stateOf(location.hash.slice(1));
    questionOf(state); // its fields may be right one by one, and not fit each other
    return { state };
  } catch (cause) {
    const error = `This link is broken: ${(cause as Error).message} Shown is what the page begins with.`;
    return { state: initial, error };
  }
}

/** Keeps the address that of the state, and calls back where somebody else changes it. */
export function useLink(state: State, onAddress: () => void): Link {
  const [link, setLink] = useState<Link>(() => linkOf(state));
  useEffect(() => {
    const timer = setTimeout(() => {
      const next = linkOf(state);
      setLink(next);
      history.replaceState(null, "", `#${next.fragment}`);
    }, REST_MS);
    return () => clearTimeout(timer);
  }, [state]);
  useEffect(() => {
    addEventListener("hashchange", onAddress); // replaceState is none
    return () => removeEventListener("hashchange", onAddress);
  }, []);
  return link;
}
