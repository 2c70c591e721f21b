import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { mutationsOf } from "./mutations.ts";
import { isTarget, targets, testsOf } from "./targets.ts";

/** The lines that mutations make of one line. */
const made = (file: string, line: string) => mutationsOf(file, line).map(({ after }) => after);

test("operators, constants, words and statements are changed one at a time", () => {
  expect(made("a.ts", "x = a < b && c;")).toEqual(["x = a <= b && c;", "x = a < b || c;", ""]);
  expect(made("a.ts", "let x = !done;")).toEqual(["let x = done;"]);
  expect(made("a.ts", "let x = Math.min(a, 2) + 0;")).toEqual([
    "let x = Math.min(a, 2) - 0;",
    "let x = Math.max(a, 2) + 0;",
    "let x = Math.min(a, 3) + 0;",
    "let x = Math.min(a, 1) + 0;",
    "let x = Math.min(a, 2) + 1;",
  ]);
  expect(made("a.wgsl", "const MOVE_LIMIT = 4096u;")).toEqual(["const MOVE_LIMIT = 1u;"]);
  expect(made("a.wgsl", "proof[first] = select(GAP, OPTIMAL, closed);")).toEqual([
    "proof[first] = select(OPTIMAL, GAP, closed);",
    "proof[first] = select(OPTIMAL, OPTIMAL, closed);",
    "",
  ]);
  expect(made("a.ts", "if (known) return known;")).toEqual([""]);
  expect(made("a.ts", "if (known) {")).toEqual(["if (false) {"]);
});

test("comments, strings, expressions within them, types and loops over typed arrays are left alone", () => {
  for (const line of [
    "// a < b",
    "/* a < b */",
    `let x = "a < b";`,
    "let x = /a + 1/;",
    "import { a } from 1;",
    "type X = 1 | 2;",
    "for (let p = i; p < slots; p++) {}",
  ]) {
    expect(made("a.ts", line), line).toEqual([]);
  }
  const template = (less: string, and: string) => `let x = \`1 < 2 $\{\`3 $\{a} < $\{b ${less} c}\`} 4\` ${and} d;`;
  expect(made("a.ts", template("<", "&&"))).toEqual([template("<=", "&&"), template("<", "||")]);
  expect(made("a.wgsl", "@group(0) @binding(1) var<storage> a: array<u32>;")).toEqual([]);
});

test("tells where", () => {
  const [mutation] = mutationsOf("a.ts", "f();\n  x = a < b;\n").filter(({ what }) => what === "< to <=");
  expect(mutation).toEqual({
    file: "a.ts",
    line: 2,
    what: "< to <=",
    before: "x = a < b;",
    after: "x = a <= b;",
    text: "f();\n  x = a <= b;\n",
  });
});

test("every file of the core has tests, which exist, and every pattern has files", () => {
  const root = new URL("../../", import.meta.url);
  const tree = execFileSync("git", ["ls-files", "src", "shaders"], { cwd: root, encoding: "utf8" }).trim().split("\n");
  const core = tree.filter(isTarget);
  for (const file of core) {
    expect(testsOf(file).length, file).toBeGreaterThan(0);
    for (const path of testsOf(file)) expect(existsSync(new URL(path, root)), path).toBe(true);
  }
  for (const [pattern] of targets)
    expect(
      core.filter((file) => pattern.test(file)),
      `${pattern}`,
    ).not.toEqual([]);
  for (const file of tree.filter((file) => file.startsWith("shaders/"))) expect(core).toContain(file);
  const some = core.filter((file) => mutationsOf(file, readFileSync(new URL(file, root), "utf8")).length > 0);
  expect(some.length).toBeGreaterThan(50);
});
