import { useEffect, useState } from "preact/hooks";
import { defaults, fragmentOf, type Settings, settingsOf } from "./settings.ts";

/** Browsers refuse more than a few changes of the address a second. */
const REST_MS = 300;

/** Settings that the address has, too, and what is wrong with it. */
export function useSettings(): [Settings, (change: Partial<Settings>) => void, string | undefined] {
  const [{ settings, error }, setState] = useState(ofAddress);
  useEffect(() => {
    const timer = setTimeout(() => history.replaceState(null, "", `#${fragmentOf(settings)}`), REST_MS);
    return () => clearTimeout(timer);
  }, [settings]);
  useEffect(() => {
    const follow = () => setState(ofAddress()); // replaceState is none of these changes
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  const change = (some: Partial<Settings>) => setState((state) => ({ settings: { ...state.settings, ...some } }));
  return [settings, change, error];
}

function ofAddress(): { settings: Settings; error?: string } {
  try {
    return { settings: settingsOf(location.hash.slice(1)) };
  } catch (cause) {
    const error = `This link is broken: ${(cause as Error).message} Shown is what the page begins with.`;
    return { settings: defaults, error };
  }
}
