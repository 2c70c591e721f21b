/**
 * Mutation run over the core: `npm run test:mutation [-- N] [--seed S] [--only PATH]`. N faults (50), drawn from all files in turn, are put
 * one at a time into a copy of the tree, and the tests that concern the file should fail. Prints each survivor, and a score.
 */
import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { seeded } from "../../src/common/random.ts";
import { type Mutation, mutationsOf } from "./mutations.ts";
import { isTarget, testsOf } from "./targets.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: "string", default: "1" }, only: { type: "string", default: "" } },
});
const wanted = Number(positionals[0] ?? 50);
const seed = Number(values.seed);
if (!Number.isInteger(wanted) || wanted < 1 || !Number.isInteger(seed)) {
  console.error(`evenkeel: N, --seed: expected integers, N >= 1, got ${positionals[0]}, ${values.seed}.`);
  process.exit(2);
}
/** A test file that takes this many times as long as without a mutation, and a minute, has met an endless loop. */
const PATIENCE = 4;
const AT_LEAST_MS = 60_000;

type Outcome = "killed" | "survived" | "timed out" | "does not compile";

/** A copy of the tree, with node_modules by links but for what tools write there. */
function copyTree(files: readonly string[]): string {
  const copy = mkdtempSync(join(tmpdir(), "evenkeel-mutation-"));
  for (const file of files) {
    mkdirSync(join(copy, dirname(file)), { recursive: true });
    cpSync(file, join(copy, file));
  }
  mkdirSync(join(copy, "node_modules"));
  for (const name of readdirSync("node_modules")) {
    if (!name.startsWith(".") || name === ".bin")
      symlinkSync(join(process.cwd(), "node_modules", name), join(copy, "node_modules", name));
  }
  return copy;
}

/** How a test file ends: undefined where all its tests pass. */
function runTest(copy: string, test: string, limitMs: number): Promise<Exclude<Outcome, "survived"> | undefined> {
  const child = spawn(process.execPath, ["node_modules/vitest/vitest.mjs", "run", test, "--bail", "1"], {
    cwd: copy,
    detached: true, // with its workers it is a group, which can be ended as one
    stdio: ["ignore", "pipe", "pipe"],
  });
  running = child.pid;
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  return new Promise((resolve) => {
    const timer = setTimeout(
      () => {
        endRunning();
        resolve("timed out");
      },
      Math.min(limitMs, 2 ** 31 - 1),
    );
    child.on("close", (code) => {
      clearTimeout(timer);
      if (code === 0) resolve(undefined);
      else resolve(/KernelError|Transform failed/.test(output) ? "does not compile" : "killed");
    });
  });
}

/** Time of each test file without a mutation. */
const usualMs = new Map<string, number>();
let running: number | undefined;
function endRunning(): void {
  try {
    if (running) process.kill(-running, "SIGKILL");
  } catch {} // it has ended by itself
  running = undefined;
}

/** What becomes of a mutation, and the first of its file's tests that fails. */
async function judge(copy: string, { file, text }: Mutation): Promise<{ outcome: Outcome; by: string }> {
  const path = join(copy, file);
  const original = readFileSync(path, "utf8");
  for (const test of testsOf(file)) {
    if (!usualMs.has(test)) await measure(copy, test);
    writeFileSync(path, text);
    const outcome = await runTest(copy, test, AT_LEAST_MS + PATIENCE * usualMs.get(test)!);
    writeFileSync(path, original);
    if (outcome) return { outcome, by: test };
  }
  return { outcome: "survived", by: "" };
}

/** Times a test on the tree as it is, on which it has to pass. */
async function measure(copy: string, test: string): Promise<void> {
  const begun = performance.now();
  if (await runTest(copy, test, Infinity)) {
    console.error(`evenkeel: ${test} fails without any mutation.`);
    process.exit(1);
  }
  usualMs.set(test, performance.now() - begun);
}

/** N mutations, of every file in turn. */
function sample(files: readonly string[]): Mutation[] {
  const random = seeded(seed);
  const perFile = random
    .shuffle([...files])
    .map((file) => random.shuffle(mutationsOf(file, readFileSync(file, "utf8"))));
  const all = perFile.reduce((sum, { length }) => sum + length, 0);
  const chosen: Mutation[] = [];
  for (let round = 0; chosen.length < Math.min(wanted, all); round++) {
    for (const mutations of perFile) if (mutations[round] && chosen.length < wanted) chosen.push(mutations[round]);
  }
  console.log(`${chosen.length} of ${all} mutations in ${files.length} files, seed ${seed}`);
  return chosen;
}

const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { encoding: "utf8" });
const tree = listed.trim().split("\n");
const mutations = sample(tree.filter((file) => isTarget(file) && file.startsWith(values.only)));
const copy = copyTree(tree);
process.on("exit", () => {
  endRunning();
  rmSync(copy, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));

const counts = new Map<string, Record<Outcome, number>>();
for (const mutation of mutations) {
  const { file, line, what, before, after } = mutation;
  const { outcome, by } = await judge(copy, mutation);
  const ofFile = counts.get(file) ?? { killed: 0, survived: 0, "timed out": 0, "does not compile": 0 };
  ofFile[outcome]++;
  counts.set(file, ofFile);
  console.log(`${outcome.padEnd(16)} ${file}:${line}  ${what}${by && `  (${by})`}`);
  if (outcome === "survived") console.log(`    - ${before}\n    + ${after}`);
}

const total = (outcome: Outcome) => [...counts.values()].reduce((sum, ofFile) => sum + ofFile[outcome], 0);
console.log(`\n${"file".padEnd(46)} killed  survived  timed out  does not compile`);
for (const [file, ofFile] of [...counts].sort()) {
  const columns = [ofFile.killed, ofFile.survived, ofFile["timed out"], ofFile["does not compile"]];
  console.log(`${file.padEnd(46)} ${columns.map((count, i) => String(count).padStart([6, 9, 10, 17][i])).join(" ")}`);
}
const noticed = total("killed") + total("timed out");
const tried = noticed + total("survived");
console.log(
  `score: ${noticed} of ${tried} noticed, ${((100 * noticed) / Math.max(1, tried)).toFixed(1)} %; ${total("does not compile")} did not compile`,
);
