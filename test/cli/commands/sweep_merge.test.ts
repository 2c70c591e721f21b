/** What `merge` makes of the shards of a sweep, and what it refuses. */
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import packageJson from "../../../package.json" with { type: "json" };
import { sweepPartOf } from "../../../src/cli/files/sweep_file.ts";
import { mergedSweep } from "../../../src/cli/reports/merged_sweep.ts";
import type { SweepPart } from "../../../src/cli/reports/sweep_part.ts";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";
import { ownFiles } from "../own_files.ts";
import { captionsOf } from "../print/html.ts";
import { expectRefused } from "../refused.ts";
import { printed, sized, sweptCsv } from "../swept.ts";

const { file, path } = ownFiles();
const SHARDS = 8;
const trace = file(sweptCsv);
/** 45 scenarios, which 8 do not divide, with figures that there are not: single tokens have no TPOT. */
const args = [
  ...sized(trace, "--route", "least-kv,bfio,round-robin", "--rates", "1,2.5,0.5x", "--arrivals", "poisson"),
  ...["--seeds", "5", "--workers", "2", "--requests", "40", "--slo-ttft", "400", "--breaking-rates"],
];
const shards = Array.from({ length: SHARDS }, (_, i) => path(`.shard${i}.json`));
let whole: string;
let words: string;
beforeAll(async () => {
  whole = await printed([...args, "--json"]);
  words = await printed(args);
  for (const [i, out] of shards.entries()) {
    const said = await printed([...args, "--shard", `${i}/${SHARDS}`, "--out", out]);
    expect(said).toMatch(new RegExp(`^Shard ${i}/8 of a sweep of 40 requests of [^]*\\n[56] scenarios on the CPU, `));
  }
});

const partsOf = (files: readonly string[]) =>
  files.map((name) => ({ name, part: sweepPartOf(name, JSON.parse(readFileSync(name, "utf8"))) }));

describe("eight shards", () => {
  test("have the scenarios of the whole, each once", () => {
    const parts = partsOf(shards).map(({ part }) => part);
    expect(parts.map(({ scenarios }) => scenarios.length)).toEqual([6, 6, 6, 6, 6, 5, 5, 5]);
    expect(parts.map(({ breaking }) => breaking!.length)).toEqual([1, 1, 1, 0, 0, 0, 0, 0]);
    for (const [i, { scenarios }] of parts.entries())
      expect(scenarios.every(({ index }) => index % SHARDS === i)).toBe(true);
  });

  test("are the whole, byte for byte: plain, in gzip, of standard input, in any order", async () => {
    const packed = shards.map((one, i) => (i % 2 ? file(gzipSync(readFileSync(one))) : one));
    const [third] = packed.splice(3, 1, "-");
    const orders = [packed, packed.toReversed(), [...packed.slice(5), ...packed.slice(0, 5)]];
    for (const order of orders) expect(await printed(["merge", ...order, "--json"], readFileSync(third))).toBe(whole);
    const out = path();
    const said = await printed(["merge", ...shards, "--out", out]);
    expect(readFileSync(out, "utf8")).toBe(whole);
    const [last] = words.trimEnd().split("\n").slice(-1);
    expect(`${said}\n${last}\n`).toBe(words);
  });

  test("in all 40,320 orders", () => {
    const parts = partsOf(shards);
    const expected = mergedSweep(parts);
    let tried = 0;
    for (const order of permutations(parts)) {
      const merged = mergedSweep(order);
      // The same objects, in the same order.
      if (merged.scenarios.some((one, k) => one !== expected.scenarios[k])) throw new Error(`order ${tried}`);
      if (merged.breaking!.some((one, k) => one !== expected.breaking![k])) throw new Error(`order ${tried}`);
      tried++;
    }
    expect(tried).toBe(40_320);
  });

  test("make the page of the whole", async () => {
    const [one, other] = [path(), path()];
    await printed(["merge", ...shards, "--html", one]);
    await printed([...args, "--html", other]);
    const withoutFoot = (html: string) => readFileSync(html, "utf8").replace(/<footer>.*<\/footer>/, "");
    expect(withoutFoot(one)).toBe(withoutFoot(other));
    expect(captionsOf(readFileSync(one, "utf8"))).toHaveLength(2);
  });
});

test("more shards than scenarios leave some empty, and null stays null", async () => {
  const ones = file("arrived_at,num_prefill_tokens,num_decode_tokens\n0,3,1\n1,4,1\n");
  const small = sized(ones, "--json");
  const outs = await Promise.all(
    [0, 1, 2, 3, 4].map(async (i) => file(await printed([...small, "--shard", `${i}/5`]))),
  );
  const merged = await printed(["merge", ...outs, "--json"]);
  expect(merged).toContain('"p99":null');
  expect(merged).toBe(await printed(small));
});

test("a whole sweep is its only shard", async () => {
  expect(await printed(["merge", file(whole), "--json"])).toBe(whole);
});

test("files may have other names on other machines: those of shard 0 are shown", async () => {
  const elsewhere = file({ ...JSON.parse(readFileSync(shards[4], "utf8")), source: "/mnt/4/trace.csv" });
  expect(await printed(["merge", ...shards.with(4, elsewhere).toReversed(), "--json"])).toBe(whole);
});

describe("refused:", () => {
  /** Shard 2, changed. */
  const changed = (change: (part: SweepPart) => object): string[] => {
    const part = JSON.parse(readFileSync(shards[2], "utf8")) as SweepPart;
    return ["merge", ...shards.with(2, file({ ...part, ...change(part) }, ".changed.json")), "--json"];
  };
  type Row = SweepPart["scenarios"][number];
  const row =
    (k: number, change: (one: Row) => object) =>
    ({ scenarios }: SweepPart) => ({
      scenarios: scenarios.map((one, j) => (j === k ? { ...one, ...change(one) } : one)),
    });
  const cases: [name: string, args: () => string[], message: string][] = [
    ["no files", () => ["merge"], "missing required argument 'files'"],
    ["a file that is not there", () => ["merge", ...shards, path()], 'expected a file that can be read, got "ENOENT'],
    ["half a file", () => ["merge", file(whole.slice(0, 900))], "expected JSON, plain or in gzip, got"],
    ["JSON of something else", () => ["merge", file({ policies: [] })], "expected what evenkeel sweep writes with"],
    ["a list", () => ["merge", file([1])], "expected what evenkeel sweep writes with --json or --out, got Array"],
    ["standard input twice", () => ["merge", "-", "-"], "files[1]: expected a file, where files[0] is standard input"],
    ["two shards missing", () => ["merge", ...shards.slice(1, 7)], "expected all 8 shards, got 6. Missing: 0/8, 7/8."],
    [
      "a shard twice",
      () => ["merge", ...shards, shards[5]],
      `.shard5.json: shard: expected another than that of ${shards[5]}`,
    ],
    [
      "another version",
      () => changed(() => ({ version: "9.9.9" })),
      `.changed.json: version: expected "${packageJson.version}", as this evenkeel is, got "9.9.9".`,
    ],
    ["other requests", () => changed(() => ({ sha256: "0".repeat(64) })), `as in ${shards[0]}, got "`],
    ["fewer requests", () => changed(() => ({ requests: 39 })), ".changed.json: requests: expected 40, as in "],
    ["another share", () => changed(() => ({ attainment: 0.9 })), ".changed.json: attainment: expected 0.99, as in "],
    [
      "another grid",
      () => changed(({ grid }) => ({ grid: { ...grid, worker: { ...grid.worker, slots: 9 } } })),
      '.changed.json: grid.worker: expected {"slots":8,',
    ],
    [
      "a grid that is none",
      () => changed(({ grid }) => ({ grid: { ...grid, workers: [0] } })),
      ".changed.json: grid: workers[0]: expected integers from 1 to 1024, got 0.",
    ],
    [
      "no such shard",
      () => changed(() => ({ shard: { index: 8, count: 8 } })),
      ".changed.json: shard: expected an index",
    ],
    ["other shards", () => changed(() => ({ shard: { index: 2, count: 9 } })), ".changed.json: scenarios: expected an"],
    [
      "a scenario less",
      () => changed(({ scenarios }) => ({ scenarios: scenarios.slice(1) })),
      ".changed.json: scenarios: expected an array of 6, got Array of length 5.",
    ],
    [
      "a scenario of another's",
      () => changed(row(3, () => ({ index: 27 }))),
      ".changed.json: scenarios[3].index: expected 26, as the grid has it, got 27.",
    ],
    ["another rate", () => changed(row(0, () => ({ rate: 7 }))), ".changed.json: scenarios[0].rate: expected 1, as"],
    [
      "a figure that is no number",
      () => changed(row(4, () => ({ steps: "many" }))),
      '.changed.json: scenarios[4].steps: expected a number, or null where there is none, got "many".',
    ],
    [
      "a figure less",
      () => changed(row(1, ({ ttft }) => ({ ttft: { ...ttft, p95: undefined } }))),
      ".changed.json: scenarios[1].ttft.p95: expected a number, or null where there is none, got undefined.",
    ],
    [
      "a breaking rate less",
      () => changed(() => ({ breaking: [] })),
      ".changed.json: breaking: expected an array of 1, got Array of length 0.",
    ],
  ];

  test.concurrent.each(cases)("%s", (name, of, message) => expectRefused(name, of(), message));

  test("of two sweeps it is said why", async () => {
    const { stderr } = await evenkeel(
      changed(() => ({ sha256: "0".repeat(64) })),
      withoutSoftware,
    );
    expect(stderr).toMatch(/\.changed\.json: sha256: expected .* They are of different requests\.\n$/);
  });

  test("a page that cannot be written, before anything is read", async () => {
    const { code, stderr } = await evenkeel(["merge", path(), "--html", `${path()}/no/where`], withoutSoftware);
    expect(code).toBe(2);
    expect(stderr).toContain("/no/where: expected a file that can be written");
  });
});

function* permutations<T>(all: readonly T[]): Generator<T[]> {
  if (all.length === 0) yield [];
  for (const [k, one] of all.entries()) for (const rest of permutations(all.toSpliced(k, 1))) yield [one, ...rest];
}
