/** What the shaders' headers and docs/internals.md state of the kernels, against the code. Barriers of *group* are counted in group_costs.test.ts. */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { topologies } from "../src/index.ts";
import { toTopology } from "../src/lp/forms.ts";
import { groupBarriers, groupBytes, groupKernel, subgroupKernel } from "../src/lp/kernels/group.ts";
import { laneBytes, laneKernel } from "../src/lp/kernels/lane.ts";
import { proofWords } from "../src/lp/kernels/proof.ts";
import { topologyTable } from "../src/lp/kernels/topology_table.ts";
import { defined, everything, programs, rooms, stems } from "./helpers/programs.ts";
import { figure, fragments, kernels, type Shader, section } from "./helpers/wgsl.ts";

const root = new URL("../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), "utf8");
const internals = read("docs/internals.md");
const cube = toTopology({ gpus: 8, edges: topologies.edges(topologies.cube8()) }, undefined);
const programsWith = (shader: Shader) => programs.filter(({ files }) => files.includes(shader));

/** Names of a list such as "x [R] tokens, f(), T". */
const listed = (list: string) => list.split(/[,;]/).map((item) => /\w+(?:\.\.\.)?/.exec(item)![0]);
const sorted = (names: Iterable<string>) => [...new Set(names)].sort();
/** Places in a record or in words are named together: AT_... */
const family = (name: string) => name.replace(/^(AT|W|R|C)_.+/, "$1_...");
/** Constants that the host puts before a kernel. */
const hostConstants = (shader: Shader) =>
  listed(/^Declared by \S+: (.*)\.$/m.exec(shader.header)?.[1].replaceAll(/ \([^)]*\)/g, "") ?? "none");

test("a shader's first line begins with its name: errors in it name the file by that", () => {
  for (const { path, stem, header } of everything) expect(header, path).toMatch(new RegExp(`^${stem}: `));
  const names = everything.map(({ stem }) => stem);
  expect(new Set(names).size).toBe(names.length);
});

describe.each(rooms)("in %s", (room) => {
  const own = kernels.filter((kernel) => kernel.room === room).map(({ stem }) => stem);
  const parts = fragments.filter((fragment) => fragment.room === room).map(({ stem }) => stem);

  test("a kernel stands in four places under one stem, and nothing else does", () => {
    const wrapped = defined.filter((one) => one.room === room);
    expect(sorted(wrapped.map(({ stem }) => stem))).toEqual(sorted(own));
    for (const { stem, kernel } of wrapped) expect(kernel.name).toBe(stem);

    // A twin says whose it is.
    for (const stem of own) expect(stems(`src/${room}/twins`, ".ts")).toContain(stem);
    for (const stem of stems(`src/${room}/twins`, ".ts")) {
      const path = `src/${room}/twins/${stem}.ts`;
      expect([...own, ...parts], path).toContain(stem);
      expect(read(path), path).toMatch(/\b[tT]win of shaders\//);
    }

    // A test is of a kernel or a fragment, or of one side of it: group_costs.
    const tested = stems(`test/${room}/kernels`, ".test.ts");
    for (const stem of own) expect(tested).toContain(stem);
    for (const stem of tested) {
      const of = [...own, ...parts].find((known) => stem === known || stem.startsWith(`${known}_`));
      expect(of, `test/${room}/kernels/${stem}.test.ts`).toBeDefined();
    }
  });
});

/** What a fragment's header says that it needs, and of which files any has it. */
function needsOf(fragment: Shader): { names: string[]; from: string[] }[] {
  const needs = (section(fragment, "Needs") ?? "").replace(/\.$/, "");
  if (needs === "") return [];
  return needs.split(/; (?!or )/).map((clause) => {
    const [, names, from] = /^(.*?)(?: of (.*))?$/.exec(clause)!;
    return { names: listed(names), from: [...(from ?? "").matchAll(/(\w+)\.wgsl/g)].map(([, stem]) => stem) };
  });
}

test("no fragment needs one that needs it, however indirectly; kernels and their fragments need each other", () => {
  const others = new Map(fragments.map((one) => [one.stem, needsOf(one).flatMap(({ from }) => from)]));
  const left = new Set(others.keys());
  for (;;) {
    const free = [...left].filter((stem) => others.get(stem)!.every((needed) => !left.has(needed)));
    for (const stem of free) left.delete(stem);
    if (free.length === 0) break;
  }
  expect([...left]).toEqual([]);
  expect([...others.values()].flat().length).toBeGreaterThan(fragments.length); // there are arrows
});

describe.each(fragments.map((fragment) => [fragment.path, fragment] as const))("%s", (_, fragment) => {
  const universe = new Set(everything.flatMap((shader) => [...shader.declares, ...hostConstants(shader)]));
  const clauses = needsOf(fragment);

  test("states what it needs, and nothing else", () => {
    const used = [...fragment.uses].filter((name) => universe.has(name));
    const expected = used.map(family);
    expect(sorted(clauses.flatMap(({ names }) => names))).toEqual(sorted(expected));
  });

  test("names files that declare it, and every kernel that includes the fragment has it", () => {
    for (const { names, from } of clauses) {
      for (const file of from) {
        const source = everything.find(({ stem }) => stem === file)!;
        const known = [
          ...source.declares,
          ...hostConstants(source),
          ...(source.stem === "specialised" ? programs.find(({ generated }) => generated)!.generated!.declares : []),
        ];
        for (const name of names) expect(known.map(family), `${name} of ${file}`).toContain(name);
      }
    }
    for (const { kernel, own, files, generated } of programsWith(fragment)) {
      const known = [
        ...files.flatMap((file) => [...file.declares]),
        ...hostConstants(own),
        ...(generated?.declares ?? []),
      ];
      for (const name of fragment.uses) if (universe.has(name)) expect(known, kernel.name).toContain(name);
    }
  });

  test("states what it declares for others, and nothing else", () => {
    const usedBy = programsWith(fragment).flatMap(({ files, generated }) =>
      [...files.filter((file) => file !== fragment), ...(generated ? [generated] : [])].flatMap(({ uses }) => [
        ...uses,
      ]),
    );
    expect(programsWith(fragment).length).toBeGreaterThan(0);
    const [exported, own = ""] = section(fragment, "Declares")!
      .replace(/\.( .*)?$/, "")
      .split("; ");
    const shared = usedBy.filter((name) => fragment.declares.has(name));
    expect(sorted(listed(exported))).toEqual(sorted(shared.map(family)));
    for (const name of own === "" ? [] : listed(own.replace(/:.*/, ""))) expect([...fragment.declares]).toContain(name);
  });

  test("has barriers only if it says so", () => {
    const barriers = /workgroupBarrier|workgroupUniformLoad|\breduce\w*\(/.test(fragment.code);
    expect(section(fragment, "Barriers") === "none.").toBe(!barriers);
  });
});

describe.each(kernels.map((kernel) => [kernel.stem, kernel] as const))("%s", (stem, shader) => {
  const { kernel, files, generated } = programs.find(({ own }) => own === shader)!;

  test("states its bindings as they are, and the host has the same", () => {
    const stated = [...section(shader, "Bindings")!.matchAll(/(\d+) (\w+)(?: \((in and )?out\))?/g)];
    const code = [...shader.code.matchAll(/@group\(0\) @binding\((\d+)\) var<([\w, ]+)> (\w+)/g)];
    expect(code.length).toBeGreaterThan(0);
    expect(section(shader, "Bindings")).toMatch(/^group 0: /);
    expect(stated.map(([text, number, name]) => [number, name, /out\)/.test(text)])).toEqual(
      code.map(([, number, access, name]) => [number, name, access === "storage, read_write"]),
    );
    const types = { "storage, read": "read-only-storage", "storage, read_write": "storage", uniform: "uniform" };
    expect(Object.values(kernel.bindings)).toEqual(code.map(([, , access]) => types[access as keyof typeof types]));
  });

  test("names a twin, and a test that imports it", () => {
    const [, twin, tests] = /^(src\/\w+\/twins\/\w+\.ts).*compared in (test\/\w+\/kernels\/\w+\.test\.ts)\.$/.exec(
      section(shader, "Twin")!,
    )!;
    expect(twin).toBe(`src/${shader.room}/twins/${stem}.ts`);
    const imported = read(tests) + (stem === "group" ? read("test/helpers/group.ts") : "");
    expect(existsSync(new URL(twin, root))).toBe(true);
    expect(imported).toContain(`/${twin}"`);
  });

  test("names the constants that the host declares", () => {
    const known = new Set([...files.flatMap((file) => [...file.declares]), ...(generated?.declares ?? [])]);
    const missing = files.flatMap((file) => [...file.uses]).filter((name) => /^MAX_/.test(name) && !known.has(name));
    expect(sorted(hostConstants(shader).filter((name) => name !== "none"))).toEqual(sorted(missing));
  });

  test("has barriers only if it says so", () => {
    const code = files.map((file) => file.code).join("\n");
    const launch = `${section(shader, "Launch")} ${section(shader, "Barriers")}`;
    expect(/workgroupBarrier|workgroupUniformLoad/.test(code)).toBe(!/No barriers/.test(launch));
    expect(/\d barrier|barriers|per iteration/.test(launch.replace(/No barriers/, ""))).toBe(
      !/No barriers/.test(launch),
    );
  });
});

describe("count and remap", () => {
  /** Barriers outside of loops, and in the loop around `marker`. */
  const barriers = (code: string) => code.split("workgroupBarrier()").length - 1;

  test("have the barriers that their headers state", () => {
    const [count, remap] = ["count", "remap"].map((stem) => kernels.find((kernel) => kernel.stem === stem)!);
    const [, stated] = /(\d+) barrier\.$/.exec(section(count, "Launch")!)!;
    expect(barriers(count.code)).toBe(Number(stated));
    const [, before, each] = /(\d+) barrier, and (\d+) per block of ids\.$/.exec(section(remap, "Launch")!)!;
    const [outside, loop] = remap.code.split("for (var block");
    expect([barriers(outside), barriers(loop)]).toEqual([Number(before), Number(each)]);
  });

  test.each(["count", "remap"])("%s has the workgroup memory that its header states", (stem) => {
    const shader = kernels.find((kernel) => kernel.stem === stem)!;
    const [, words] = /\. (\S.*?) words of workgroup memory/.exec(section(shader, "Launch")!)!;
    const values = { EXPERTS: 7, WORDS: 3, WG: 64 };
    const lengths = [...shader.code.matchAll(/var<workgroup> \w+: array<(?:atomic<)?u32>?, ([^>]+)>/g)];
    expect(lengths.length).toBeGreaterThan(0);
    const sum = lengths.reduce((total, [, length]) => total + figure(length, values), 0);
    expect(figure(words, values)).toBe(sum);
  });
});

/** Bytes of a type of WGSL; a bool as 4. */
function bytesOf(type: string, values: Record<string, number>): number {
  const array = /^array<(.+), (.+)>$/.exec(type);
  if (array) return bytesOf(array[1], values) * figure(array[2], values);
  const vector = /^vec(\d)/.exec(type);
  return vector ? 4 * Number(vector[1]) : 4;
}

test("lane's private memory is what its header and internals.md state", () => {
  const shader = kernels.find(({ stem }) => stem === "lane")!;
  const [, formula, ofCube] = /^(.*) bytes per lane, ([\d,]+) for the cube/.exec(section(shader, "Private")!)!;
  const row = /\| lane \|[^|]*\| (.*?) bytes of private memory, sizes rounded up: ([\d,]+) for the cube/.exec(
    internals,
  )!;
  const code = programs.find(({ kernel }) => kernel.name === laneKernel.name)!.files.map((file) => file.code);
  const variables = [...code.join("\n").matchAll(/^var<private> \w+: (.+);/gm)];
  for (const [G, R] of [
    [8, 32],
    [16, 128],
    [64, 256],
  ]) {
    const values = { MAX_GPUS: G, MAX_REPLICAS: R, MAX_EXPERTS: R / 2, TRIANGLE: (G * (G - 1)) / 2 };
    const bytes = variables.reduce((sum, [, type]) => sum + bytesOf(type, values), 0);
    expect(figure(formula, values)).toBe(bytes);
    expect(laneBytes({ maxGpus: G, maxReplicas: R })).toBe(bytes);
    expect(figure(row[1], { G, R })).toBe(bytes);
  }
  const { maxGpus, maxReplicas } = topologyTable([cube]);
  const bytes = figure(formula, { MAX_GPUS: maxGpus, MAX_REPLICAS: maxReplicas });
  expect([figure(ofCube, {}), figure(row[2], {})]).toEqual([bytes, bytes]);
});

test("traffic of the kernels is what the buffers of an LP hold", () => {
  const stated = [
    ...kernels.map((shader) => section(shader, "Traffic")),
    /Each reads and writes (.*?) bytes per LP/.exec(internals)![1],
  ];
  const formulas = stated.filter((text) => text !== undefined).map((text) => text.replace(/ bytes per LP.*/, ""));
  expect(formulas.length).toBe(5);
  for (const [E, P, G] of [
    [32, 40, 8],
    [256, 320, 64],
    [100, 200, 33],
  ]) {
    for (const formula of formulas) expect(figure(formula, { E, P, G })).toBe(4 * (E + G + P + proofWords(G)));
  }
});

test("the row of group in internals.md has its memory and barriers", () => {
  const [, lanes, memory, workgroup, subgroup] =
    /\| group \| (\d+) invocations or a subgroup \| (.*?) bytes of workgroup memory \| (.*?); (.*?) with subgroups \|/.exec(
      internals,
    )!;
  const sizes = { maxGpus: 64, maxReplicas: 128, maxEntries: 96 };
  const expected = groupBytes(sizes, { kernel: "workgroup", lanes: Number(lanes) });
  expect(figure(memory, { G: 64, R: 128, F: 96 })).toBe(expected);
  for (const S of [1, 2, 5]) {
    expect(figure(workgroup, { S })).toBe(groupBarriers(S, { kernel: "workgroup" }));
    expect(figure(subgroup, { S })).toBe(groupBarriers(S, { kernel: "subgroup" }));
  }
  expect([groupKernel.name, subgroupKernel.name]).toEqual(["group", "group"]);
});
