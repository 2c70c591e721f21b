/** Recordings of serving systems, and other files given for one, that are refused in one line. */
import { describe, test } from "vitest";
import { archive, ownFiles } from "../own_files.ts";
import { expectRefused, type Refused } from "../refused.ts";

const { file } = ownFiles();
const analyzed = (path: string) => ["analyze", path, "--gpus", "2"];
const replayed = (path: string) => ["replay", path, "--gpus", "2"];

describe("is one line on stderr, exit code 2:", () => {
  const records = (count: unknown, map: unknown = [[0, 1, 1, 0]]) =>
    file({ records: [{ global_physical_count: count }], last_physical_to_logical_map: map });

  test.concurrent.each<Refused>([
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
  ])("%s", expectRefused);

  const ids = (of: unknown) =>
    file({ records: [{ topk_ids_of_layer: of }], last_physical_to_logical_map: [0, 1, 1, 0] });

  test.concurrent.each<Refused>([
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
  ])("%s", expectRefused);

  const loads = file([new Array(4).fill([1, 2, 3, 4, 5, 6, 7, 8])]);

  test.concurrent.each<Refused>([
    ["loads of other names", analyzed(file({ counts: [[1]], steps: 1 })), "Its fields: counts, steps."],
    ["ids of other names", replayed(file({ ids: [[[[1]]]] })), "Its fields: ids."],
    [
      "a .pt file",
      analyzed(file(archive("recording/data.pkl"))),
      'Make JSON of it: python -c "import json, sys, torch; ',
    ],
    ["a .npz file", analyzed(file(archive("loads.npy"))), 'Make JSON of it: python -c "import json, sys, numpy; '],
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
  ])("%s", expectRefused);
});
