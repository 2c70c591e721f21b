import { ArgumentError } from "../../common/errors.ts";
import { type SweepPart, WHOLE } from "./sweep_part.ts";
import { type Shard, shardName } from "./sweep_setting.ts";

/** A part, and what to call the file that it is from. */
export interface NamedPart {
  name: string;
  part: SweepPart;
}

/** What must be the same in all parts, besides the grid; the version is that of this evenkeel. Paths may differ from machine to machine. */
const common = ["requests", "recorded", "sha256", "classes", "attainment", "breakingRates"] as const;
const meanings: Partial<Record<string, string>> = { sha256: "They are of different requests." };

/**
 * All parts of a sweep put together, in whatever order they come: what one machine would have of it. Names of files are those of shard 0.
 *
 * @throws {ArgumentError} They are of different sweeps, one is there twice, or some are missing; files and shards are named.
 */
export function mergedSweep(parts: readonly NamedPart[]): SweepPart {
  const [first] = parts;
  for (const one of parts) requireSame(first, one);
  const { count } = shardOf(first);
  const byIndex = new Map<number, NamedPart>();
  for (const one of parts) {
    const shard = shardOf(one);
    const twin = byIndex.get(shard.index);
    if (twin) throw new ArgumentError(`${one.name}: shard`, `another than that of ${twin.name}`, shardName(shard));
    byIndex.set(shard.index, one);
  }
  const missing = Array.from({ length: count }, (_, index) => index).filter((index) => !byIndex.has(index));
  if (missing.length > 0) {
    const names = missing.map((index) => shardName({ index, count })).join(", ");
    throw new ArgumentError("files", `all ${count} shards`, parts.length, `Missing: ${names}.`);
  }
  const all = Array.from({ length: count }, (_, index) => byIndex.get(index)!.part);
  const { shard, ...whole } = all[0];
  return {
    ...whole,
    scenarios: dealtBack(all.map(({ scenarios }) => scenarios)),
    breaking: whole.breaking && dealtBack(all.map(({ breaking }) => breaking!)),
  };
}

/** A whole sweep is its only shard. */
const shardOf = ({ part }: NamedPart): Shard => part.shard ?? WHOLE;

/** What was dealt one by one to each in turn. */
function dealtBack<T>(shares: readonly (readonly T[])[]): T[] {
  const total = shares.reduce((sum, { length }) => sum + length, 0);
  return Array.from({ length: total }, (_, k) => shares[k % shares.length][Math.floor(k / shares.length)]);
}

function requireSame(first: NamedPart, one: NamedPart): void {
  const require = (field: string, expected: unknown, actual: unknown) => {
    const [ours, theirs] = [expected, actual].map((value) => JSON.stringify(value) ?? "nothing");
    if (ours === theirs) return;
    throw new ArgumentError(`${one.name}: ${field}`, `${ours}, as in ${first.name}`, theirs, meanings[field]);
  };
  for (const field of common) require(field, first.part[field], one.part[field]);
  const [ours, theirs] = [first, one].map(({ part }) => new Map<string, unknown>(Object.entries(part.grid)));
  for (const field of new Set([...ours.keys(), ...theirs.keys()]))
    require(`grid.${field}`, ours.get(field), theirs.get(field));
  require("shard.count", shardOf(first).count, shardOf(one).count);
}
