import type { SweptRouting, SweptScheduling } from "../../src/serving.ts";

interface Policy<Name> {
  name: Name;
  /** On the command line, in addresses and in tables. */
  word: string;
  /** For the form. */
  rule: string;
}

export const routings: readonly Policy<SweptRouting>[] = [
  { name: "roundRobin", word: "round-robin", rule: "in turn" },
  { name: "leastKv", word: "least-kv", rule: "to the worker with the fewest KV tokens" },
  { name: "bfio", word: "bfio", rule: "so that loads stay even, BF-IO" },
];

/** Not by priority: that goes by classes, which no file of requests has. */
export const schedulings: readonly Policy<SweptScheduling>[] = [
  { name: "fcfs", word: "fcfs", rule: "first come, first served" },
  { name: "sjf", word: "sjf", rule: "shortest prompt first" },
  { name: "svf", word: "svf", rule: "smallest volume first, by predicted outputs" },
];

/** A configuration's policies, as reports of the command line have them. */
export function policyName({ routing, scheduling }: { routing: SweptRouting; scheduling: SweptScheduling }): string {
  return `${wordOf(routings, routing)} + ${wordOf(schedulings, scheduling)}`;
}

function wordOf<Name>(policies: readonly Policy<Name>[], name: Name): string {
  return policies.find((policy) => policy.name === name)?.word ?? String(name);
}

/** Those of a list of words; undefined where one is none. */
export function policiesOf<Name>(policies: readonly Policy<Name>[], text: string): Name[] | undefined {
  const found = text.split(",").map((word) => policies.find((policy) => policy.word === word.trim())?.name);
  return found.every((name) => name !== undefined) ? [...new Set(found)] : undefined;
}
