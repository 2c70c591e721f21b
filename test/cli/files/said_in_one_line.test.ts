/** What files say wrongly, or in a way that a library would comment on, in one line that names it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { ReplayReport } from "../../../src/cli/reports/replay_report.ts";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-line-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string | object): string {
  const file = join(folder, name);
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
}

const loads = write("loads.json", [[[1, 2]], [[3, 4]]]);
const place = (file: string) => ["analyze", loads, "--gpus", "2", "--placement", file];

test.each([
  ["an archive of numpy's by its name", ["analyze", write("x.npz", "PK\u0003\u0004"), "--gpus", "2"], /numpy\.load/],
  ["an archive of torch's", ["analyze", write("x.pt", "PK\u0003\u0004"), "--gpus", "2"], /torch\.load/],
  [
    "YAML with a tag that nobody knows",
    place(write("tag.yaml", "num_slots: !!python/object:os.system x\n")),
    /tag\.yaml/,
  ],
  [
    "vllm-ascend's map without the number of layers",
    place(
      write("ascend.json", {
        layer_list: [{ layer_id: 0, device_count: 1, device_list: [{ device_id: 0, device_expert: [0, 1] }] }],
      }),
    ),
    /moe_layer_count: expected the number of layers, got undefined/,
  ],
])("%s", async (_, args, message) => {
  const { code, stdout, stderr } = await evenkeel(args, withoutSoftware);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(message);
  expect(stderr.trimEnd()).not.toContain("\n");
});

test("a recording of slots says how many experts there are, though none of the last was chosen", async () => {
  const ids = [
    [
      [0, 1],
      [2, 0],
    ],
  ];
  const recording = write("per_token.json", {
    records: [{ forward_pass_id: 0, rank: 0, topk_ids_of_layer: ids }],
    last_physical_to_logical_map: [[0, 1, 2, 3, 4, 5, 6, 7]],
  });
  const { code, stdout, stderr } = await evenkeel(["replay", recording, "--gpus", "2", "--json"], withoutSoftware);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const report: ReplayReport = JSON.parse(stdout);
  expect(report).toMatchObject({ experts: 8, originals: { mean: 2 } }); // experts 0 to 3 are on one GPU
});

test("redundant slots are those in use", async () => {
  const map = write("empty.json", { phy2log: [[0, 1, -1, 1, 0, -1]], gpus: 2 });
  const { code, stdout } = await evenkeel([...place(map), "--json"], withoutSoftware);
  expect([code, JSON.parse(stdout).redundant]).toEqual([0, 2]);
});
