/** Placements in the files of serving systems that are refused in one line. */
import { describe, test } from "vitest";
import { archive, ownFiles } from "../own_files.ts";
import { expectRefused, type Refused } from "../refused.ts";

const { file } = ownFiles();
const loads = file([new Array(4).fill([1, 2, 3, 4, 5, 6, 7, 8])]);
const placed = (path: string) => ["analyze", loads, "--gpus", "2", "--placement", path];

describe("is one line on stderr, exit code 2:", () => {
  const yaml = (rows: string[], slots = "10") =>
    file(`num_slots: ${slots}\ninitial_global_assignments:\n${rows.map((row) => `  ${row}\n`).join("")}`);
  const [a, b] = ["[0, 1, 2, 3, 4, 5, 6, 7, 0, 1]", "[7, 6, 5, 4, 3, 2, 1, 0, 7, 6]"];
  const good = [`0: ${a}`, `1: ${b}`, `2: ${a}`, `3: ${b}`];

  test.concurrent.each<Refused>([
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
  ])("%s", expectRefused);

  interface Ascend {
    moe_layer_count: number;
    layer_list: {
      layer_id: number;
      device_count: number;
      device_list: { device_id: number; device_expert: unknown[] }[];
    }[];
  }
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

  test.concurrent.each<Refused>([
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
      "gpus: expected --gpus 5, got 2.",
    ],
  ])("%s", expectRefused);

  const row = [0, 1, 2, 3, 4, 5, 6, 7, 0, 1];

  test.concurrent.each<Refused>([
    ["rows: a missing layer", placed(file([row, row, row])), ": expected 4 layers as in the recording, got 3."],
    [
      "rows: a wrong count",
      placed(file([row, row, row, row.slice(2)])),
      "layers[3]: expected 10 values as in layers[0], got 8.",
    ],
    [
      "rows: a negative id",
      placed(file([row, row, row, [...row.slice(1), -2]])),
      "layers[3][9]: expected an expert id",
    ],
    [
      "rows: a number as text",
      placed(file([row, row, row, ["0", ...row.slice(1)]])),
      'layers[3][0]: expected an expert id or -1, an integer from -1 to 9, got "0".',
    ],
    ["a row: of other experts", placed(file([0, 1, 2, 3])), "layer 0: expected 8 experts as in the recording, got 4."],
    ["no placement", placed(file({ num_experts: 8, top_k: 2 })), "Its fields: num_experts, top_k."],
    ["a .pt file as a placement", placed(file(archive("recording/data.pkl"))), "FILE.pt > FILE.json"],
  ])("%s", expectRefused);
});
