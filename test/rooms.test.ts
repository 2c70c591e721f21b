/** The rooms of the house: arrows point down only, and nothing goes in a circle. */
import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { expect, test } from "vitest";

const root = new URL("../", import.meta.url);
const read = (file: string) => readFileSync(new URL(file, root), "utf8");

/** Each may import those before its own line, and itself. */
const floors = [["common"], ["gpu", "placement"], ["lp"], ["balancer", "planner"], ["serving"], ["cli"]];
/** What is nobody's room: the surface, which the command line does not go through, what a worker thread runs, and a declaration. */
const surfaces = ["src/index.ts", "src/serving.ts", "src/worker.ts", "src/wgsl.d.ts"];

const sources = readdirSync(new URL("src/", root), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => `src/${file}`);

/** The files that each imports, types too. */
function imports(files: readonly string[]): Map<string, string[]> {
  return new Map(
    files.map((file) => {
      const found = [...read(file).matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)];
      return [file, found.map(([, path]) => posix.join(posix.dirname(file), path))];
    }),
  );
}

const roomOf = (file: string) => file.split("/")[1];
const floorOf = (file: string) => floors.findIndex((rooms) => rooms.includes(roomOf(file)));

/** One circle of each tangle, from a file back to it. */
function circles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) {
      found.push([...path.slice(path.indexOf(file)), file].join(" -> "));
      return;
    }
    if (done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
}

/** Imports that go up, or across a floor. */
function arrowsUp(graph: ReadonlyMap<string, readonly string[]>): string[] {
  return [...graph].flatMap(([file, targets]) =>
    surfaces.includes(file)
      ? []
      : targets
          .filter((target) => target.startsWith("src/"))
          .filter((target) => roomOf(target) !== roomOf(file) && floorOf(target) >= floorOf(file))
          .map((target) => `${file} -> ${target}`),
  );
}

test("every source is in a room, and the rooms are no others", () => {
  const stray = sources.filter((file) => floorOf(file) < 0 && !surfaces.includes(file));
  expect(stray).toEqual([]);
});

test("arrows point down only, without circles", () => {
  const graph = imports(sources);
  expect([...graph.values()].flat().length).toBeGreaterThan(500);
  expect(arrowsUp(graph)).toEqual([]);
  expect(circles(graph)).toEqual([]);
});

test("the site is above all rooms, and has no circles either", () => {
  const pages = readdirSync(new URL("web/", root), { recursive: true, encoding: "utf8" })
    .filter((file) => /\.tsx?$/.test(file))
    .map((file) => `web/${file}`);
  expect(pages.length).toBeGreaterThan(5);
  const graph = imports([...sources, ...pages]);
  expect([...imports(sources).values()].flat().filter((target) => target.startsWith("web/"))).toEqual([]);
  expect(circles(graph)).toEqual([]);
});

test("twins of the LP's kernels are for tests and benchmarks", () => {
  const users = [...imports(sources)].filter(([file]) => !file.startsWith("src/lp/twins/"));
  const used = users.filter(([, targets]) => targets.some((target) => target.startsWith("src/lp/twins/")));
  expect(used.map(([file]) => file)).toEqual([]);
});

test("a circle and an arrow up would be found", () => {
  const graph = new Map([
    ["src/lp/a.ts", ["src/lp/b.ts", "src/balancer/c.ts"]],
    ["src/lp/b.ts", ["src/lp/a.ts"]],
    ["src/gpu/d.ts", ["src/placement/e.ts", "src/common/f.ts"]],
  ]);
  expect(circles(graph)).toEqual(["src/lp/a.ts -> src/lp/b.ts -> src/lp/a.ts"]);
  expect(arrowsUp(graph)).toEqual(["src/lp/a.ts -> src/balancer/c.ts", "src/gpu/d.ts -> src/placement/e.ts"]);
});

test("a fragment of the shaders is in the room that uses it, in common/ where two do", () => {
  const includes = imports(sources.filter((file) => file.includes("/kernels/")));
  for (const file of readdirSync(new URL("shaders/", root), { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".wgsl")) continue;
    const users = [...includes].filter(([, targets]) => targets.includes(`shaders/${file}`)).map(([user]) => user);
    const rooms = [...new Set(users.map(roomOf))];
    if (file.startsWith("common/")) expect(rooms.length, file).toBeGreaterThan(1);
    else expect(rooms, file).toEqual([file.split("/")[0]]);
  }
});

test("no source, shader, benchmark or test is over 300 lines", () => {
  const folders = [
    "src/",
    "shaders/",
    "bench/",
    "test/",
    "tools/compat/program/",
    "scripts/",
    "examples/",
    "web/",
    "tools/site/",
  ];
  const files = folders.flatMap((folder) =>
    readdirSync(new URL(folder, root), { recursive: true, encoding: "utf8" })
      .filter((file) => /\.(tsx?|mjs|wgsl)$/.test(file))
      .map((file) => `${folder}${file}`),
  );
  expect(files.length).toBeGreaterThan(300);
  expect(files.filter((file) => read(file).trimEnd().split("\n").length > 300)).toEqual([]);
});
