import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { generateLoads } from "../../../src/cli/reports/generated_loads.ts";
import { row } from "../../../src/cli/reports/load_history.ts";
import { placementsFromJSON } from "../../../src/index.ts";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-gpus-"));
afterAll(() => rmSync(folder, { recursive: true }));

const [steps, layers, experts, gpus, redundant] = [6, 2, 16, 4, 4];
const history = generateLoads({ steps, layers, experts }, 1);
const loads = join(folder, "loads.json");
const rows = Array.from({ length: steps }, (_, s) => Array.from({ length: layers }, (_, l) => [...row(history, s, l)]));
writeFileSync(loads, JSON.stringify(rows));

const run = (args: string[], input?: Buffer) => evenkeel(args, withoutSoftware, input);
const shape = ["--gpus", `${gpus}`, "--redundant", `${redundant}`];

async function planned(out: string, ...more: string[]): Promise<void> {
  const { code, stderr } = await run(["plan", loads, ...shape, "--budget", "0", "--out", out, ...more]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
}

const on = (n: number, placement: string) => ["analyze", loads, "--gpus", `${n}`, "--placement", placement, "--json"];

describe.each(["vllm", "eplb", "lplb"])("--format %s", (format) => {
  test("has the GPUs in the file, and is refused for others", async () => {
    const out = join(folder, `${format}.json`);
    await planned(out, "--format", format, ...(format === "lplb" ? ["--shared-topology", "ring"] : []));
    const json = JSON.parse(readFileSync(out, "utf8"));
    expect(json.gpus).toBe(gpus);
    expect(existsSync(join(folder, `${format}.evenkeel.json`))).toBe(false);
    expect(placementsFromJSON(json, { gpus })).toHaveLength(layers);
    expect(await run(on(4, out))).toMatchObject({ code: 0, stderr: "" });
    const { code, stdout, stderr } = await run(on(2, out));
    const said = "gpus: expected --gpus 2, got 4. The placement was made for another number of GPUs.";
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: "", stderr: `evenkeel: ${out}: ${said}\n` });
  });
});

describe("for SGLang, which refuses further keys,", () => {
  const out = join(folder, "F.json");
  const sidecar = join(folder, "F.evenkeel.json");

  test("the GPUs are beside the file, with its hash", async () => {
    await planned(out);
    expect(Object.keys(JSON.parse(readFileSync(out, "utf8")))).toEqual(["physical_to_logical_map"]);
    const sha256 = createHash("sha256").update(readFileSync(out)).digest("hex");
    expect(JSON.parse(readFileSync(sidecar, "utf8"))).toEqual({ gpus, sha256 });
  });

  const commands: [string, (placement: string) => string[]][] = [
    ["analyze", (placement) => on(2, placement)],
    ["plan", (placement) => ["plan", loads, "--gpus", "2", "--redundant", "4", "--placement", placement]],
    ["replay", (placement) => ["replay", ids, "--gpus", "2", "--placement", placement]],
  ];
  const ids = join(folder, "ids.json");
  writeFileSync(ids, JSON.stringify([[[[0, 1]], [[2, 3]]]]));

  test.each(commands)("%s reads them, and refuses others", async (_, args) => {
    if (!existsSync(out)) await planned(out);
    const { code, stdout, stderr } = await run(args(out));
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    const said = `${out}: gpus: expected 2 as in --gpus, got 4. ${sidecar} has the GPUs that it was made for.`;
    expect(stderr).toBe(`evenkeel: ${said}\n`);
    expect(await run(on(4, out))).toMatchObject({ code: 0, stderr: "" });
  });

  test("they are found by way of a link, and of the file in gzip", async () => {
    const elsewhere = join(folder, "elsewhere");
    mkdirSync(elsewhere);
    const link = join(elsewhere, "link.json");
    symlinkSync(out, link);
    expect((await run(on(2, link))).code).toBe(2);
    writeFileSync(`${out}.gz`, gzipSync(readFileSync(out)));
    expect((await run(on(2, `${out}.gz`))).code).toBe(2);
  });

  test("they are not believed of another file", async () => {
    const other = join(folder, "G.json");
    copyFileSync(sidecar, join(folder, "G.evenkeel.json"));
    writeFileSync(other, JSON.stringify({ physical_to_logical_map: new Array(layers).fill(onTwo) }));
    expect(await run(on(2, other))).toMatchObject({ code: 0, stderr: "" });
    // Nor is what is no sidecar.
    for (const [i, junk] of ["", "null", "[]", '{"gpus":"4"}'].entries()) {
      const placement = join(folder, `H${i}.json`);
      copyFileSync(other, placement);
      writeFileSync(join(folder, `H${i}.evenkeel.json`), junk);
      expect(await run(on(2, placement)), junk).toMatchObject({ code: 0, stderr: "" });
    }
  });
});

/** 20 slots of 16 experts, none twice on either of 2 GPUs. */
const onTwo = [...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], ...[10, 11, 12, 13, 14, 15, 0, 1, 2, 3]];

describe("where nothing says for how many GPUs it is,", () => {
  // For 4 GPUs, with five slots each; read for 2, expert 1 is twice on GPU 0 of layer 1, and more are.
  const onFour = [...[0, 1, 2, 3, 4], ...[5, 1, 7, 2, 9], ...[6, 8, 10, 11, 12], ...[13, 14, 15, 3, 0]];
  const json = { physical_to_logical_map: [onTwo, onFour] };
  const path = join(folder, "foreign.json");
  writeFileSync(path, JSON.stringify(json));
  const warning = (name: string) =>
    `evenkeel: warning: ${name}: layer 1 has expert 1 twice on GPU 0, where one slot would do. Is it a placement for --gpus 2?\n`;

  test("an expert twice on a GPU gets one warning, and stdout is as ever", async () => {
    const { code, stdout, stderr } = await run(on(2, path));
    expect({ code, stderr }).toEqual({ code: 0, stderr: warning(path) });
    expect(JSON.parse(stdout).gpus).toBe(2);
    expect(await run(on(4, path))).toMatchObject({ code: 0, stderr: "" });
  });

  test("from standard input, too", async () => {
    const { code, stderr } = await run(on(2, "-"), Buffer.from(JSON.stringify(json)));
    expect({ code, stderr }).toEqual({ code: 0, stderr: warning("standard input") });
  });

  test("but not where the file says so", async () => {
    const said = Buffer.from(JSON.stringify({ ...json, gpus: 2 }));
    expect(await run(on(2, "-"), said)).toMatchObject({ code: 0, stderr: "" });
  });
});

test("a sidecar that cannot be written is known before the search", async () => {
  const out = join(folder, "blocked.json");
  mkdirSync(join(folder, "blocked.evenkeel.json"));
  const unread = join(folder, "unread");
  const { code, stderr } = await run(["plan", unread, ...shape, "--out", out]);
  expect(code).toBe(2);
  expect(stderr).toContain("blocked.evenkeel.json: expected a file that can be written");
});
