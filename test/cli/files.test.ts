/** Files as serving systems write and read them. What is written is read back by readers of this file's own. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { readLoads } from "../../src/cli/files/load_file.ts";
import { readPlacements } from "../../src/cli/files/placement_file.ts";
import { readTopk } from "../../src/cli/files/topk_file.ts";
import { casePath, casesPresent, needsCases } from "../helpers/recorded.ts";
import { evenkeel, withoutSoftware } from "./evenkeel.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-files-"));
afterAll(() => rmSync(folder, { recursive: true }));

let written = 0;
/** Writes a file of its own and returns its path. */
function file(content: unknown, ending = ""): string {
  const path = join(folder, `in-${written++}${ending}`);
  writeFileSync(path, typeof content === "string" || Buffer.isBuffer(content) ? content : JSON.stringify(content));
  return path;
}

const run = (...args: string[]) => evenkeel(args, withoutSoftware);
const in01 = [0, 1, 2, 3, 4, 5, 6, 7, 0, 1];
const reversed = [7, 6, 5, 4, 3, 2, 1, 0, 7, 6];
const in23 = [0, 1, 2, 3, 4, 5, 6, 7, 2, 3];
const everyLayer = [in01, reversed, in01, in23];
const moeLayers = [0, 1, 2, 3];
const shape = { gpus: 2, layers: 4, moeLayers, experts: 8 };
const mapsIn = async (path: string, other: Partial<typeof shape> = {}) =>
  (await readPlacements(path, { ...shape, ...other })).map(({ physicalToLogical }) => [...physicalToLogical]);

describe(`every case is read ${needsCases}`, () => {
  test.runIf(casesPresent)("placements", async () => {
    expect(await mapsIn(casePath("trtllm_eplb.yaml"))).toEqual(everyLayer);
    expect(await mapsIn(casePath("vllm_ascend_expert_map.json"))).toEqual(everyLayer);
    expect(await mapsIn(casePath("vllm_bare_rows.json"))).toEqual(everyLayer);
    expect(await mapsIn(casePath("vllm_bare_row.json"))).toEqual([in01, in01, in01, in01]);
  });

  test.runIf(casesPresent)("counts of physical slots, added up by expert", async () => {
    const { loads, ...rest } = await readLoads(casePath("sglang_per_pass.json"));
    expect(rest).toMatchObject({ steps: 1, layers: 4, experts: 8 });
    const row = [1 + 9, 2 + 10, 3, 4, 5, 6, 7, 8];
    expect([...loads]).toEqual([...row, ...row, ...row, ...row]);
    const tokens = await readLoads(casePath("sglang_per_token.json"));
    expect([...tokens.loads]).toEqual(new Array(4).fill([1, 1, 1, 1, 0, 0, 0, 0]).flat());
    expect(await readLoads(casePath("sglang_ring_unused_tail.json"))).toMatchObject({
      steps: 20,
      layers: 2,
      experts: 8,
    });
  });

  test.runIf(casesPresent)("ids of each token", async () => {
    const tokens = await readTopk(casePath("sglang_per_token.json"));
    expect(tokens).toMatchObject({ steps: 1, layers: 4, topK: 2, maxTokens: 2, largestId: 3 });
    expect([...tokens.idsOf(0)]).toEqual(new Array(4).fill([0, 1, 2, 3]).flat());
    expect(await readTopk(casePath("topk_step_without_tokens.json"))).toMatchObject({ steps: 3, layers: 2, topK: 2 });
  });

  test.runIf(casesPresent).concurrent.each([
    ["analyze", "sglang_per_pass.json", "trtllm_eplb.yaml"],
    ["analyze", "sglang_per_token.json", "vllm_ascend_expert_map.json"],
    ["replay", "sglang_per_token.json", "vllm_bare_row.json"],
    ["replay", "sglang_per_token.json", "vllm_bare_rows.json"],
  ])("%s %s --placement %s", async (command, recording, placement) => {
    const args = [command, casePath(recording), "--gpus", "2", "--placement", casePath(placement), "--json"];
    const { code, stdout, stderr } = await run(...args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { gpus, experts, redundant } = JSON.parse(stdout);
    expect({ gpus, experts, redundant }).toEqual({ gpus: 2, experts: 8, redundant: 2 });
  });
});

describe("recordings of physical slots", () => {
  const map = [
    [2, 0, 1, 0],
    [0, 1, 2, -1],
  ];
  const window = [
    [
      [1, 2, 3, 4],
      [5, 6, 7, 0],
    ],
    [
      [0, 0, 1, 0],
      [0, 1, 0, 0],
    ],
  ];

  test("vLLM's window by its map, an empty slot being nobody's", async () => {
    const read = await readLoads(file({ expert_load_window: window, physical_to_logical_map: map }));
    expect(read).toMatchObject({ steps: 2, layers: 2, experts: 3 });
    expect([...read.loads]).toEqual([2 + 4, 3, 1, 5, 6, 7, 0, 1, 0, 0, 1, 0]);
    const [pass] = window;
    const one = await readLoads(file({ expert_load_pass: pass, physical_to_logical_map: map }));
    expect([...one.loads]).toEqual([6, 3, 1, 5, 6, 7]);
    const forAll = await readLoads(file({ expert_load_window: window, physical_to_logical_map: [2, 0, 1, 0] }));
    expect([...forAll.loads]).toEqual([6, 3, 1, 6 + 0, 7, 5, 0, 1, 0, 1, 0, 0]);
  });

  test("several ranks' records of a pass are one step; ids are of slots, padding of k is left out", async () => {
    const pass = (id: number, rank: number, ids: number[][][]) => ({
      forward_pass_id: id,
      rank,
      topk_ids_of_layer: ids,
    });
    const recording = file({
      records: [
        pass(7, 0, [[[3, 0, -1]], [[2, 1, -1]]]),
        pass(7, 1, [
          [
            [1, 2, -1],
            [-1, -1, -1],
          ],
          [
            [0, 1, -1],
            [2, -1, -1],
          ],
        ]),
        pass(8, 0, [[[2, 0, -1]], [[0, 2, -1]]]),
      ],
      last_physical_to_logical_map: map,
    });
    const ids = await readTopk(recording);
    expect(ids).toMatchObject({ steps: 2, layers: 2, topK: 2, maxTokens: 3, largestId: 2 });
    expect([...ids.idsOf(0)]).toEqual([0, 2, 0, 1, -1, -1, 2, 1, 0, 1, 2, -1]);
    expect([...ids.idsOf(1)]).toEqual([1, 2, 0, 2]);
    const { loads, steps } = await readLoads(recording);
    expect({ steps, loads: [...loads] }).toEqual({ steps: 2, loads: [2, 1, 1, 1, 2, 2, 0, 1, 1, 1, 0, 1] });
  });
});

describe("layers", () => {
  const step = (...rows: number[][]) => [rows, rows.map((row) => [...row].reverse())];
  const sglang = file({ logical_count: step([0, 0, 0, 0], [9, 2, 3, 1], [4, 4, 1, 8]) }); // layer 0 is dense
  const moeOnly = file(step([9, 2, 3, 1], [4, 4, 1, 8]));
  const planned = ["--gpus", "2", "--redundant", "2", "--budget", "0", "--json"];

  async function plan(format: string, loads: string, ...more: string[]) {
    const out = join(folder, `${format}-${written++}.${format === "trtllm" ? "yaml" : "json"}`);
    const { code, stdout, stderr } = await run("plan", loads, ...planned, "--format", format, "--out", out, ...more);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return { out, text: readFileSync(out, "utf8"), maps: JSON.parse(stdout).placements as number[][] };
  }

  /** Block mapping of scalars, with one mapping of flow sequences in it: all that the configuration is. */
  function readConfig(text: string) {
    const config: { numbers: Record<string, number>; rows: Map<number, number[]> } = { numbers: {}, rows: new Map() };
    for (const line of text.trimEnd().split("\n")) {
      const number = /^(\w+): (\d+)$/.exec(line);
      const row = /^ {2}(\d+): \[(\d+(?:, \d+)*)\]$/.exec(line);
      if (number) config.numbers[number[1]] = Number(number[2]);
      else if (row) config.rows.set(Number(row[1]), row[2].split(", ").map(Number));
      else expect(line).toBe("initial_global_assignments:");
    }
    return config;
  }

  test("TensorRT-LLM's keep the model's numbers, the dense one left out, and nothing else is in the file", async () => {
    const { out, text, maps } = await plan("trtllm", sglang);
    const { numbers, rows } = readConfig(text);
    expect(numbers).toEqual({ num_slots: 6, layer_updates_per_iter: 0 });
    expect([...rows]).toEqual([
      [1, maps[1]],
      [2, maps[2]],
    ]);
    const { code, stderr } = await run("analyze", sglang, "--gpus", "2", "--placement", out);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const other = await run("analyze", sglang, "--gpus", "3", "--placement", out); // the number is beside the file
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining("gpus: expected 3 as in --gpus, got 2.") });
  });

  test("vllm-ascend's and vLLM's are the MoE layers alone", async () => {
    const { out, text, maps } = await plan("vllm-ascend", sglang);
    const map = JSON.parse(text);
    expect([map.moe_layer_count, map.layer_list.length]).toEqual([2, 2]);
    for (const [i, layer] of map.layer_list.entries()) {
      expect([layer.layer_id, layer.device_count, layer.device_list.length]).toEqual([i, 2, 2]);
      const ids = layer.device_list.map((device: { device_id: number }) => device.device_id);
      expect(ids).toEqual([0, 1]);
      const experts = layer.device_list.flatMap((device: { device_expert: number[] }) => device.device_expert);
      expect(experts).toEqual(maps[i + 1]);
    }
    expect(await run("analyze", sglang, "--gpus", "2", "--placement", out)).toMatchObject({ code: 0, stderr: "" });
    const vllm = await plan("vllm", sglang);
    expect(JSON.parse(vllm.text).physical_to_logical_map).toEqual(vllm.maps.slice(1));
    expect(await run("analyze", sglang, "--gpus", "2", "--placement", vllm.out)).toMatchObject({ code: 0, stderr: "" });
  });

  test("dense layers' rows of a placement are ignored, whatever they say", async () => {
    const rows = [
      [3, 3, 3, 3, 3, 3],
      [0, 1, 2, 3, 0, 1],
      [3, 2, 1, 0, 3, 2],
    ];
    const inForce = file({ physical_to_logical_map: rows });
    const { code, stderr } = await run("analyze", sglang, "--gpus", "2", "--placement", inForce);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const [dense, ...moe] = rows;
    const wrong = file({ physical_to_logical_map: [...moe, dense] }); // the layer that says 3 alone has tokens
    expect(await run("analyze", sglang, "--gpus", "2", "--placement", wrong)).toMatchObject({ code: 2 });
  });

  test("SGLang's are all of them", async () => {
    const { text, maps } = await plan("sglang", sglang);
    expect(JSON.parse(text)).toEqual({ physical_to_logical_map: maps });
    expect(maps).toHaveLength(3);
  });

  test("--moe-layers numbers rows of MoE layers, and picks them among rows of all layers", async () => {
    const moe = ["--moe-layers", "3,5"];
    const numbered = await plan("trtllm", moeOnly, ...moe);
    const { rows } = readConfig(numbered.text);
    expect([...rows.keys()]).toEqual([3, 5]);
    expect(numbered.maps).toHaveLength(6);
    expect(rows.get(5)).toEqual(numbered.maps[5]);
    const hidden = await plan("sglang", moeOnly, ...moe);
    expect(JSON.parse(hidden.text).physical_to_logical_map).toHaveLength(6);
    const back = ["analyze", moeOnly, "--gpus", "2", "--placement", numbered.out];
    expect(await run(...back, ...moe)).toMatchObject({ code: 0, stderr: "" });
    const unnumbered = await run(...back);
    expect(unnumbered).toMatchObject({ code: 2, stderr: expect.stringContaining("give --moe-layers 3,5.\n") });
    const one = await plan("trtllm", sglang, "--moe-layers", "2");
    expect([...readConfig(one.text).rows.keys()]).toEqual([2]);
  });

  test("replay numbers the layers of ids likewise", async () => {
    const ids = file([[[[0, 1]], [[2, 3]]]]);
    const config = file("num_slots: 4\ninitial_global_assignments:\n  3: [0, 1, 2, 3]\n  4: [3, 2, 1, 0]\n");
    const args = ["replay", ids, "--gpus", "2", "--placement", config, "--json"];
    const { code, stdout } = await run(...args, "--moe-layers", "3-4");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ layers: 5, assignments: 4, experts: 4 });
    expect(await run(...args)).toMatchObject({ code: 2 });
  });
});

describe("text as editors and shells write it", () => {
  const text = JSON.stringify([[[1, 2, 3]]]);
  const utf16be = (mark: string) => Buffer.from(mark + text, "utf16le").swap16();
  test.each([
    ["UTF-8 with a byte order mark", Buffer.from(`\ufeff${text}`)],
    ["UTF-16, little-endian", Buffer.from(`\ufeff${text}`, "utf16le")],
    ["UTF-16, big-endian", utf16be("\ufeff")],
    ["UTF-16 without a mark", Buffer.from(text, "utf16le")],
    ["UTF-16, big-endian, without a mark", utf16be("")],
  ])("%s", async (_, content) => {
    expect([...(await readLoads(file(content))).loads]).toEqual([1, 2, 3]);
  });

  test("YAML in UTF-16, and in flow style under its own name", async () => {
    const config = "initial_global_assignments: {0: [0, 1, 1, 0]}\nnum_slots: 4\n";
    const one = { layers: 1, moeLayers: [0], experts: 2 };
    expect(await mapsIn(file(Buffer.from(`\ufeff${config}`, "utf16le")), one)).toEqual([[0, 1, 1, 0]]);
    expect(await mapsIn(file("{num_slots: 4, initial_global_assignments: {0: [0, 1, 1, 0]}}", ".yaml"), one)).toEqual([
      [0, 1, 1, 0],
    ]);
  });
});

/** The smallest ZIP member header that there is. */
const archive = (member: string) =>
  Buffer.from(`PK\x03\x04${"\0".repeat(22)}${String.fromCharCode(member.length)}\0\0\0${member}`, "latin1");

describe("is one line on stderr, exit code 2:", () => {
  const loads = file([new Array(4).fill([1, 2, 3, 4, 5, 6, 7, 8])]);
  const yaml = (rows: string[], slots = "10") =>
    file(`num_slots: ${slots}\ninitial_global_assignments:\n${rows.map((row) => `  ${row}\n`).join("")}`);
  const [a, b] = ["[0, 1, 2, 3, 4, 5, 6, 7, 0, 1]", "[7, 6, 5, 4, 3, 2, 1, 0, 7, 6]"];
  const good = [`0: ${a}`, `1: ${b}`, `2: ${a}`, `3: ${b}`];
  const ascend = (change: (map: Ascend) => void) => {
    const layer = (id: number): Ascend["layer_list"][0] => ({
      layer_id: id,
      device_count: 2,
      device_list: [
        { device_id: 0, device_expert: [0, 1, 2, 3, 4] },
        { device_id: 1, device_expert: [5, 6, 7, 0, 1] },
      ],
    });
    const map = { moe_layer_count: 4, layer_list: [0, 1, 2, 3].map(layer) };
    change(map);
    return file(map);
  };
  interface Ascend {
    moe_layer_count: number;
    layer_list: {
      layer_id: number;
      device_count: number;
      device_list: { device_id: number; device_expert: unknown[] }[];
    }[];
  }
  const records = (count: unknown, map: unknown = [[0, 1, 1, 0]]) =>
    file({ records: [{ global_physical_count: count }], last_physical_to_logical_map: map });
  const placed = (path: string) => ["analyze", loads, "--gpus", "2", "--placement", path];
  const analyzed = (path: string) => ["analyze", path, "--gpus", "2"];
  const replayed = (path: string) => ["replay", path, "--gpus", "2"];
  const ids = (of: unknown) =>
    file({ records: [{ topk_ids_of_layer: of }], last_physical_to_logical_map: [0, 1, 1, 0] });

  const cases: [string, string[], string][] = [
    [
      "trtllm: a missing layer",
      placed(yaml([good[0], good[1], good[3]])),
      'initial_global_assignments: expected layer 2, as layers 0-3 of the recording have experts, got "0-1, 3".',
    ],
    [
      "trtllm: a wrong count",
      placed(yaml([...good.slice(0, 3), "3: [0, 1, 2]"])),
      "initial_global_assignments[3]: expected num_slots = 10 experts, got 3.",
    ],
    [
      "trtllm: another num_slots",
      placed(yaml(good, "12")),
      "initial_global_assignments[0]: expected num_slots = 12 experts, got 10.",
    ],
    [
      "trtllm: a negative id",
      placed(yaml([`0: ${a.replace("7", "-1")}`, ...good.slice(1)])),
      "initial_global_assignments[0][7]: expected an expert id, an integer from 0 to 16777216, got -1.",
    ],
    [
      "trtllm: a number as text",
      placed(yaml([`0: ${a.replace("7", '"7"')}`, ...good.slice(1)])),
      'initial_global_assignments[0][7]: expected an expert id, an integer from 0 to 16777216, got "7".',
    ],
    [
      "trtllm: an expert without a slot",
      placed(yaml([...good.slice(0, 3), `3: ${b.replace("5", "4")}`])),
      'initial_global_assignments[3]: expected a slot for expert 5, got "none".',
    ],
    [
      "trtllm: a layer that is none",
      placed(yaml([...good, `x: ${a}`])),
      'initial_global_assignments: expected layer numbers, integers >= 0, got "x".',
    ],
    ["trtllm: a layer twice", placed(yaml([...good, `3: ${a}`])), "expected JSON or YAML, plain or in gzip"],
    [
      "trtllm: online balancing alone",
      placed(file("num_slots: 288\nlayer_updates_per_iter: 1\n")),
      "Its fields: num_slots, layer_updates_per_iter.",
    ],
    [
      "vllm-ascend: a missing layer",
      placed(ascend((map) => map.layer_list.pop())),
      "layer_list: expected moe_layer_count = 4 layers, got 3.",
    ],
    [
      "vllm-ascend: one layer fewer throughout",
      placed(
        ascend((map) => {
          map.layer_list.pop();
          map.moe_layer_count = 3;
        }),
      ),
      ": expected 4 MoE layers as in the recording, got 3.",
    ],
    [
      "vllm-ascend: layers in another order",
      placed(ascend((map) => map.layer_list.reverse())),
      "layer_list[0].layer_id: expected 0, in order, got 3.",
    ],
    [
      "vllm-ascend: a wrong count",
      placed(ascend((map) => map.layer_list[1].device_list[0].device_expert.pop())),
      "layer_list[1].device_list[0].device_expert: expected 5 experts as on the first device, got 4.",
    ],
    [
      "vllm-ascend: a missing device",
      placed(ascend((map) => map.layer_list[1].device_list.pop())),
      "layer_list[1].device_list: expected device_count = 2 devices, got 1.",
    ],
    [
      "vllm-ascend: a negative id",
      placed(
        ascend((map) => {
          map.layer_list[2].device_list[1].device_expert[0] = -1;
        }),
      ),
      "layer_list[2].device_list[1].device_expert[0]: expected an expert id, an integer >= 0, got -1.",
    ],
    [
      "vllm-ascend: a number as text",
      placed(
        ascend((map) => {
          map.layer_list[2].device_list[1].device_expert[0] = "5";
        }),
      ),
      'layer_list[2].device_list[1].device_expert[0]: expected an expert id, an integer >= 0, got "5".',
    ],
    [
      "vllm-ascend: an expert without a slot",
      placed(
        ascend((map) => {
          map.layer_list[3].device_list[1].device_expert[0] = 4;
        }),
      ),
      "layer_list[3]: expected a slot for expert 5",
    ],
    [
      "vllm-ascend: of other GPUs",
      ["analyze", loads, "--gpus", "5", "--placement", ascend(() => {})],
      "gpus: expected gpus = 5, got 2.",
    ],
    ["rows: a missing layer", placed(file(everyLayer.slice(1))), ": expected 4 layers as in the recording, got 3."],
    [
      "rows: a wrong count",
      placed(file([in01, in01, in01, in01.slice(2)])),
      "layers[3]: expected 10 values as in layers[0], got 8.",
    ],
    [
      "rows: a negative id",
      placed(file([in01, in01, in01, [...in01.slice(1), -2]])),
      "layers[3][9]: expected an expert id",
    ],
    [
      "rows: a number as text",
      placed(file([in01, in01, in01, ["0", ...in01.slice(1)]])),
      'layers[3][0]: expected an expert id or -1, an integer from -1 to 9, got "0".',
    ],
    ["a row: of other experts", placed(file([0, 1, 2, 3])), "layer 0: expected 8 experts as in the recording, got 4."],
    ["no placement", placed(file({ num_experts: 8, top_k: 2 })), "Its fields: num_experts, top_k."],
    [
      "per_pass: a missing layer",
      analyzed(
        file({
          records: [{ global_physical_count: [[1, 2, 3, 4]] }],
          last_physical_to_logical_map: [
            [0, 1, 1, 0],
            [0, 1, 1, 0],
          ],
        }),
      ),
      "last_physical_to_logical_map: expected 1 layers, got 2.",
    ],
    [
      "per_pass: another pass with fewer layers",
      analyzed(
        file({
          records: [
            {
              global_physical_count: [
                [1, 2],
                [3, 4],
              ],
            },
            { global_physical_count: [[1, 2]] },
          ],
          last_physical_to_logical_map: [0, 1],
        }),
      ),
      "records[1]: expected 2 layers as in the first step, got 1.",
    ],
    [
      "per_pass: a wrong count",
      analyzed(records([[1, 2, 3]])),
      "records[0].global_physical_count[0]: expected P = 4 counts as in ",
    ],
    [
      "per_pass: a negative count",
      analyzed(records([[1, 2, 3, -4]])),
      "records[0].global_physical_count[0][3]: expected a finite number >= 0, got -4.",
    ],
    [
      "per_pass: a number as text",
      analyzed(records([[1, "2", 3, 4]])),
      'records[0].global_physical_count[0][1]: expected a finite number >= 0, got "2".',
    ],
    [
      "per_pass: a negative expert",
      analyzed(records([[1, 2, 3, 4]], [[0, 1, -2, 0]])),
      "last_physical_to_logical_map[0][2]: expected an expert id, an integer >= 0, or -1 for an empty slot, got -2.",
    ],
    [
      "per_pass: tokens in an empty slot",
      analyzed(records([[1, 2, 3, 4]], [[0, 1, -1, 0]])),
      "records[0].global_physical_count[0][2]: expected 0, because the slot is empty, got 3.",
    ],
    ["per_pass: no map", analyzed(file({ records: [{ global_physical_count: [[1]] }] })), "Its fields: records."],
    [
      "per_pass: nothing that counts",
      analyzed(file({ records: [{ rank: 0 }], last_physical_to_logical_map: [0] })),
      "Its fields: rank.",
    ],
    [
      "per_token: a wrong count",
      replayed(ids([[[0, 1], [2]]])),
      "records[0].topk_ids_of_layer[0][1]: expected k = 2 ids as for the first token, got 1.",
    ],
    [
      "per_token: a missing layer",
      replayed(
        file({
          records: [{ topk_ids_of_layer: [[[0]], [[1]]] }, { topk_ids_of_layer: [[[0]]] }],
          last_physical_to_logical_map: [0, 1],
        }),
      ),
      "records[1].topk_ids_of_layer: expected 2 layers as in the first step, got 1.",
    ],
    [
      "per_token: a negative id",
      replayed(ids([[[0, -2]]])),
      "records[0].topk_ids_of_layer[0][0][1]: expected an expert id, an integer >= 0, or -1 for none, got -2.",
    ],
    [
      "per_token: a number as text",
      replayed(ids([[["0", 1]]])),
      'records[0].topk_ids_of_layer[0][0][0]: expected an expert id, an integer >= 0, or -1 for none, got "0".',
    ],
    [
      "per_token: an id beyond the slots",
      replayed(ids([[[0, 4]]])),
      "records[0].topk_ids_of_layer[0]: expected ids of the 4 slots in ",
    ],
    [
      "per_pass in replay",
      replayed(records([[1, 2, 3, 4]])),
      "Its fields: global_physical_count. Record with --expert-distribution-recorder-mode per_token.",
    ],
    ["loads of other names", analyzed(file({ counts: [[1]], steps: 1 })), "Its fields: counts, steps."],
    ["ids of other names", replayed(file({ ids: [[[[1]]]] })), "Its fields: ids."],
    [
      "a .pt file",
      analyzed(file(archive("recording/data.pkl"))),
      'Make JSON of it: python -c "import json, sys, torch; ',
    ],
    ["a .npz file", analyzed(file(archive("loads.npy"))), 'Make JSON of it: python -c "import json, sys, numpy; '],
    ["a .pt file as a placement", placed(file(archive("recording/data.pkl"))), "FILE.pt > FILE.json"],
    [
      "no layers",
      [...analyzed(loads), "--moe-layers", "3-1"],
      "Expected ascending layer numbers, as in 3-60 or 1,3,5-7.",
    ],
    [
      "other layers",
      [...analyzed(loads), "--moe-layers", "3-60"],
      ": expected 58 layers, those of --moe-layers, or 61 or more with the dense ones, got 4.",
    ],
  ];

  test.concurrent.each(cases)("%s", async (_, args, message) => {
    const { code, stdout, stderr } = await run(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^evenkeel: [^\p{Cc}]+\n$/u);
    expect(stderr).toContain(message);
  });
});
