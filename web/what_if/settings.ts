import { ArgumentError } from "../../src/common/errors.ts";

/** What the form asks, as its fields have it: text, so that a half-typed number is kept, and an address can hold it. */
export const defaults = {
  /** Of the generated trace: how many requests, how many of them per s on average, and the seed. */
  generated: "1000",
  rate: "20",
  seed: "1",
  /** Of an opened trace the first so many; all where it is empty. */
  requests: "",
  workers: "1-6",
  slots: "64",
  kvTokens: "60000",
  /** Five coefficients, or nothing for the default. */
  stepTime: "",
  chunk: "",
  eviction: "recompute",
  tooLarge: "error",
  rates: "1x",
  arrivals: "replay",
  seeds: "4",
  route: "round-robin,least-kv",
  schedule: "fcfs,svf",
  prediction: "exact",
  /** ms, ms, and % of the requests. */
  ttft: "2000",
  tpot: "100",
  attainment: "99",
  /** Whether to look for the rate at which each configuration breaks its SLO. */
  breaking: "yes",
  backend: "auto",
  /** Of the run that an opened file has measured. */
  measuredWorkers: "1",
};

export type Field = keyof typeof defaults;
export type Settings = Record<Field, string>;

/** What each is called where something is wrong with it. */
export const fieldNames: Record<Field, string> = {
  ...{ generated: "Requests", rate: "Requests per s", seed: "Seed", requests: "First requests" },
  ...{ workers: "Numbers of workers", slots: "Slots", kvTokens: "KV tokens", stepTime: "Step time" },
  ...{ chunk: "Prompt tokens a step", eviction: "Evicted requests", tooLarge: "Requests larger than the memory" },
  ...{ rates: "Rates", arrivals: "Arrivals", seeds: "Seeds", route: "Routing", schedule: "Scheduling" },
  ...{
    prediction: "Outputs are predicted",
    ttft: "TTFT in ms",
    tpot: "TPOT in ms",
    attainment: "Requests within, in %",
  },
  ...{ breaking: "Breaking rates", backend: "Compute on", measuredWorkers: "Workers of the measured run" },
};

const fields = Object.keys(defaults) as Field[];
const VERSION = "1";

/** The settings as the fragment of a link: `v=1&workers=1-8`, what is as at first left out. */
export function fragmentOf(settings: Settings): string {
  const changed = fields.filter((field) => settings[field] !== defaults[field]);
  const parts = changed.map((field) => `${field}=${encodeURIComponent(settings[field]).replaceAll("%2C", ",")}`);
  return [`v=${VERSION}`, ...parts].join("&");
}

/**
 * @param fragment  without its #; an empty one is the settings at first. What a field has is not looked at: see `questionOf`.
 * @throws {ArgumentError} It is of another version, or has a field that nobody knows.
 */
export function settingsOf(fragment: string): Settings {
  if (fragment === "") return defaults;
  const given = new URLSearchParams(fragment);
  const version = given.get("v");
  if (version !== VERSION)
    throw new ArgumentError("v", `${VERSION}, the version of links that this page knows`, version);
  const unknown = [...given.keys()].find((name) => name !== "v" && !fields.some((field) => field === name));
  if (unknown !== undefined) throw new ArgumentError("the link", `fields among ${fields.join(", ")}`, unknown);
  return Object.fromEntries(fields.map((field) => [field, given.get(field) ?? defaults[field]])) as Settings;
}
