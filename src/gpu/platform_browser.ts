import { navigatorCandidate, type Platform } from "./adapters.ts";

const missing = () =>
  globalThis.isSecureContext === false
    ? "this page has none, because it is not a secure context; serve it from https or localhost"
    : "this browser has none";

export const platform: Platform = {
  defaultChoice: () => "auto",
  candidates: [navigatorCandidate("browser", false, missing), navigatorCandidate("browser", true, missing)],
};
