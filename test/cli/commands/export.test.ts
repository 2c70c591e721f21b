import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import packageJson from "../../../package.json";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-export-"));
afterAll(() => rmSync(folder, { recursive: true }));
const run = (...args: string[]) => evenkeel(["export", ...args], withoutSoftware, undefined, folder);
const read = (...path: string[]) => readFileSync(join(folder, ...path), "utf8");

const rows = [
  [0, 1, 2, 0, 1, 3],
  [2, 1, 0, 2, 1, 3],
  [0, 1, 2, 3, 0, 0],
  [0, 1, 2, 0, 1, 3],
];
beforeAll(() => {
  writeFileSync(join(folder, "placement.json"), JSON.stringify({ physical_to_logical_map: rows, gpus: 2 }));
  const trtllm = "num_slots: 6\ninitial_global_assignments:\n  3: [0, 1, 2, 0, 1, 3]\n  7: [2, 1, 0, 2, 1, 3]\n";
  writeFileSync(join(folder, "eplb.yaml"), trtllm);
});

test("writes a header, the source, a loader and a Makefile, the same each time", async () => {
  const written = await run("placement.json", "--gpus", "2", "--target", "c", "--out", "new/c");
  expect(written).toMatchObject({ code: 0, stderr: "" });
  expect(written.stdout).toContain("4 layers of 4 experts in 6 slots of 2 GPUs:\n");
  const names = readdirSync(join(folder, "new/c")).sort();
  expect(names).toEqual(["Makefile", "evenkeel.c", "evenkeel.h", "evenkeel.py"]);
  const first = names.map((name) => read("new/c", name));
  for (const text of first) {
    expect(text.split("\n")[0]).toContain(
      `Made by evenkeel ${packageJson.version} of "placement.json", layers 0-3: 4 experts`,
    );
  }
  await run("placement.json", "--gpus", "2", "--target", "c", "--out", "new/c");
  expect(names.map((name) => read("new/c", name))).toEqual(first);
  const sizes = [...read("new/c", "evenkeel.h").matchAll(/^#define EVENKEEL_(\w+) (\d+) /gm)];
  expect(sizes.map(([, name, value]) => `${name} ${value}`)).toEqual([
    ...["GPUS 2", "EXPERTS 4", "SLOTS 6", "COPIES 3", "LAYERS 4", "PROOF 4"],
  ]);
  expect(read("new/c", "evenkeel.c").match(/^FUNCTION void solve_\d/gm)).toHaveLength(2);
});

test("cuda is another source and loader, and layers are those asked for", async () => {
  const args = ["--gpus", "2", "--target", "cuda", "--out", "cuda", "--layers", "0,2-3"];
  expect(await run("placement.json", ...args)).toMatchObject({ code: 0, stderr: "" });
  expect(readdirSync(join(folder, "cuda")).sort()).toEqual(["Makefile", "evenkeel.cu", "evenkeel.h", "evenkeel.py"]);
  expect(read("cuda", "evenkeel.cu")).toContain("forms[EVENKEEL_LAYERS] = {\n  0, -1, 1, 0,\n};");
  expect(read("cuda", "evenkeel.py")).toContain("    2: [0, 1, 2, 3, 0, 0],\n    3: [0, 1, 2, 0, 1, 3],\n}");
});

test("TensorRT-LLM's layers keep their numbers", async () => {
  const args = ["--gpus", "2", "--target", "c", "--out", "trtllm"];
  expect(await run("eplb.yaml", ...args)).toMatchObject({ code: 0 });
  expect(read("trtllm", "evenkeel.c")).toContain("forms[EVENKEEL_LAYERS] = {\n  -1, -1, -1, 0, -1, -1, -1, 0,\n};");
  const { code, stderr } = await run("eplb.yaml", ...args, "--layers", "2-3");
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: 'evenkeel: --layers: expected layers of eplb.yaml: 3, 7, got "2".\n',
  });
});

test("experts without a slot are lost only where --experts says so", async () => {
  writeFileSync(join(folder, "lost.json"), JSON.stringify([[0, 1, -1, 3, 1, 0]]));
  const args = ["lost.json", "--gpus", "2", "--target", "c", "--out", "lost"];
  const refused = await run(...args);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain("a slot for expert 2");
  expect(refused.stderr).toContain("--experts");
  expect(await run(...args, "--experts", "4")).toMatchObject({ code: 0 });
  expect(read("lost", "evenkeel.h")).toContain("#define EVENKEEL_EXPERTS 4 ");
  // Without an empty slot to tell of them, too; and never more than were said.
  writeFileSync(join(folder, "full.json"), JSON.stringify([[0, 1, 1, 3, 1, 0]]));
  const full = ["full.json", ...args.slice(1)];
  expect(await run(...full, "--experts", "5")).toMatchObject({ code: 0 });
  expect(read("lost", "evenkeel.h")).toContain("#define EVENKEEL_EXPERTS 5 ");
  const few = await run(...full, "--experts", "3");
  expect(few).toMatchObject({ code: 2, stderr: expect.stringContaining("full.json") });
});

test("nobody's files are overwritten but its own", async () => {
  mkdirSync(join(folder, "theirs"));
  writeFileSync(join(folder, "theirs", "Makefile"), "all:\n");
  const args = ["placement.json", "--gpus", "2", "--target", "c", "--out"];
  const refused = await run(...args, "theirs");
  expect(refused.code).toBe(2);
  expect(refused.stderr).toBe(
    'evenkeel: --out theirs/Makefile: expected no file, or one that evenkeel made, got "another".\n',
  );
  expect(readdirSync(join(folder, "theirs"))).toEqual(["Makefile"]);
  const onFile = await run(...args, "placement.json");
  expect({ code: onFile.code, stderr: onFile.stderr }).toEqual({
    code: 2,
    stderr: 'evenkeel: --out placement.json: expected a folder, got "a file".\n',
  });
});

test("what cannot be exported leaves no folder", async () => {
  const cases: [string[], RegExp][] = [
    [["placement.json", "--gpus", "3", "--target", "c"], /gpus: expected --gpus 3, got 2|gpus/],
    [["placement.json", "--gpus", "2", "--target", "rust"], /c, cuda/],
    [["placement.json", "--gpus", "2", "--target", "c", "--layers", "3,1"], /ascending layer numbers/],
    [["none.json", "--gpus", "2", "--target", "c"], /none\.json: expected a file that can be read/],
    [["wide.json", "--gpus", "400", "--target", "c"], /layer 0: expected a solve of at most 32768 statements/],
  ];
  // 400 GPUs in a ring, three experts each, all of which have a second slot on the next GPU and a third on the one after.
  const wide = Array.from({ length: 400 }, (_, g) =>
    [0, 1, 2].flatMap((e) => [0, 1, 7].map((d) => 3 * ((g + d) % 400) + e)),
  );
  writeFileSync(join(folder, "wide.json"), JSON.stringify([wide.flat()]));
  for (const [args, message] of cases) {
    const { code, stderr } = await run(...args, "--out", "nothing");
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
    expect(existsSync(join(folder, "nothing"))).toBe(false);
  }
});
