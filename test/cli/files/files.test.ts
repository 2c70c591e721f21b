/** Files as serving systems write and read them. What is written is read back by readers of this file's own. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readLoads, readPlacements, readTopk } from "../../../src/cli/files/read_files.ts";
import { casePath, casesPresent, needsCases } from "../../helpers/recorded.ts";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";
import { ownFiles } from "../own_files.ts";

const { file, path } = ownFiles();
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
    const out = path(format === "trtllm" ? ".yaml" : ".json");
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
