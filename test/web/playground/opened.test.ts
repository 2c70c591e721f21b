import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { unpacked } from "../../../src/cli/files/content.ts";
import { ArgumentError, solveLoadBalanceLP } from "../../../src/index.ts";
import { linkOf, stateOf } from "../../../web/playground/link.ts";
import {
  historyOf,
  kindOf,
  openedAs,
  openedByContent,
  withLoads,
  withPlacement,
} from "../../../web/playground/opened.ts";
import { questionOf } from "../../../web/playground/question.ts";
import { initial } from "../../../web/playground/state.ts";
import { casePath, casesPresent, needsCases } from "../../helpers/recorded.ts";

const contentOf = (json: unknown, name = "own.json") => ({
  name,
  bytes: new TextEncoder().encode(JSON.stringify(json)),
});
const open = (json: unknown, name?: string) => {
  const content = contentOf(json, name);
  return openedAs(kindOf(content), content, 2);
};

describe.skipIf(!casesPresent)(`what other systems write ${needsCases}`, () => {
  const opened = async (name: string, gpus: number) => {
    const content = await unpacked({ name, bytes: readFileSync(casePath(name)) });
    return openedByContent(content, gpus);
  };

  test.each([
    ["trtllm_eplb.yaml", ["trtllm_eplb.yaml does not say for how many GPUs it is, and 8 cannot be: 5 is a guess."]],
    ["vllm_ascend_expert_map.json", []], // it says it
    ["vllm_bare_row.json", ["vllm_bare_row.json does not say for how many GPUs it is, and 8 cannot be: 5 is a guess."]],
    [
      "vllm_bare_rows.json",
      ["vllm_bare_rows.json does not say for how many GPUs it is, and 8 cannot be: 5 is a guess."],
    ],
  ])("%s is a placement, and each of its layers is shown", async (name, expected) => {
    const { kind, placements, warnings } = await opened(name, 8);
    expect(warnings).toEqual(expected);
    expect(kind).toBe("placement");
    expect(placements!.size).toBeGreaterThan(0);
    for (const placement of placements!.values()) {
      const state = withPlacement(initial, name, placement);
      expect(stateOf(linkOf(state).fragment)).toEqual(state);
      expect([...questionOf(state).placement.physicalToLogical]).toEqual([...placement.physicalToLogical]);
    }
  });

  test.each([
    ["sglang_per_pass.json", "loads"],
    ["sglang_per_token.json", "loads"],
    ["sglang_ring_unused_tail.json", "loads"],
    ["topk_step_without_tokens.json", "ids"],
  ])("%s is a recording: %s", async (name, expected) => {
    const { kind, recorded } = await opened(name, 4);
    expect(kind).toBe(expected);
    const { steps, layers, experts, loads } = recorded!;
    for (let layer = 0; layer < layers; layer++) {
      for (let step = 0; step < steps; step++) {
        const state = withLoads({ ...initial, gpus: 2 }, recorded!, layer, step);
        expect(stateOf(linkOf(state).fragment)).toEqual(state);
        const first = (step * layers + layer) * experts;
        expect([...questionOf(state).expertLoad]).toEqual(Array.from(loads).slice(first, first + experts));
      }
    }
  });
});

test("experts are placed by the mean of the steps, and the planner is given them all", () => {
  const loads = [[[4, 2, 2, 0]], [[0, 4, 2, 2]]];
  const { recorded } = open({ loads });
  const state = withLoads({ ...initial, gpus: 2 }, recorded!, 0, 1);
  expect(state).toMatchObject({
    experts: 4,
    batch: [0, 4, 2, 2],
    expected: [2, 3, 2, 1],
    loadsFile: "own.json, step 1",
  });
  expect([...historyOf(recorded!, 0)]).toEqual(loads.flat(2));
});

test("a problem is its placement, loads, speeds and dead GPUs", async () => {
  const placement = { gpus: 3, physicalToLogical: [0, 1, 0, 2, 1, 3] };
  const problem = { placement, expertLoad: [60, 200, 20, 10], speed: [1, 2, 1], active: [1, 1, 0] };
  const { kind, placements, recorded, speed, dead } = open(problem);
  expect(kind).toBe("problem");
  const loaded = withLoads(withPlacement(initial, "own.json", placements!.get(0)!), recorded!, 0, 0);
  const question = questionOf({ ...loaded, speed: speed!, dead: dead! });
  const { placement: placed, expertLoad, speed: v, active } = question;
  const own = await solveLoadBalanceLP({ placement: placed, expertLoad, speed: v, active }, { backend: "cpu" });
  const given = await solveLoadBalanceLP(problem, { backend: "cpu" });
  expect([own.maxLoad, own.lost]).toEqual([given.maxLoad, given.lost]);
  expect(() => open({ ...problem, baseLoad: [1, 0, 0] })).toThrow(
    /^own\.json: expected only placement, .*, got "baseLoad"/,
  );
  expect(() => open({ gpus: 2, edges: [[0, 1]], load: [3, 1], capacity: [2] })).toThrow(/expected only .* got "gpus"/);
});

test("loads of other experts leave no placement of the old ones", () => {
  const placed = withPlacement(initial, "map.json", open([0, 1, 2, 0], "map.json").placements!.get(0)!);
  expect(placed).toMatchObject({ place: "file", gpus: 2, experts: 3, map: [0, 1, 2, 0] });
  const state = withLoads(placed, open([[5, 4, 3, 2, 1]]).recorded!, 0, 0);
  expect(state).toMatchObject({ place: "eplb", experts: 5, map: [], placementFile: "", redundant: 1 });
  expect(() => questionOf(state)).not.toThrow();
  // LPLB's cube wants equally many experts on each of eight GPUs.
  const cube = withLoads({ ...initial, place: "topology" }, open([[5, 4, 3, 2, 1]]).recorded!, 0, 0);
  expect(cube).toMatchObject({ place: "eplb", experts: 5, batch: [5, 4, 3, 2, 1] });
  expect(() => questionOf(cube)).not.toThrow();
});

test("gzip and rows of several depths are told apart", async () => {
  const packed = await unpacked({ name: "loads.json.gz", bytes: gzipSync(JSON.stringify([[3, 1]])) });
  expect(kindOf(packed)).toBe("loads");
  expect(kindOf(contentOf([0, 1, 1, 0]))).toBe("placement");
  expect(kindOf(contentOf([[0, 1, 1, 0]]))).toBe("placement");
  expect(kindOf(contentOf([[7, 1, 1, 0]]))).toBe("loads");
  expect(kindOf(contentOf([[[0, 1, 1, 0]]]))).toBe("loads");
  expect(
    kindOf(
      contentOf([
        [
          [
            [0, 1],
            [1, 0],
          ],
        ],
      ]),
    ),
  ).toBe("ids");
});

test.each([
  [
    { name: "notes.json", bytes: new TextEncoder().encode('{"loads": [1,') },
    /^notes\.json: expected JSON, plain or in gzip, got "13 bytes"/,
  ],
  [
    contentOf({ model: "x", layers: 3 }),
    /^own\.json: expected a placement, loads of experts, top-k ids or a problem, got an object of Object\. Its fields: model, layers\./,
  ],
  [contentOf({ loads: [[1, -2]] }), /^own\.json: loads\[0\]\[1\]: expected a finite number >= 0, got -2/],
  [
    contentOf({ physical_to_logical_map: [[0, 1, 3]] }),
    /^own\.json: physical_to_logical_map\[0\]\[2\]: expected an expert id or -1, .*, got 3/,
  ],
  [contentOf([0, 1, 2], "map.json"), /^map\.json: .*expected a multiple of gpus = 2 slots, got 3/],
  [contentOf({ loads: [Array(1025).fill(1)] }), /^own\.json: expected at most 1024 experts, for this page, got 1025/],
  [
    { name: "state.pt", bytes: new TextEncoder().encode("PK\x03\x04 archive") },
    /^state\.pt: expected text, JSON for example, got "an archive of torch's"/,
  ],
  [{ name: "song.mp3", bytes: new TextEncoder().encode("ID3 \x00\x01") }, /^song\.mp3: expected a/],
])("%s gets a sentence", (content, message) => {
  const opened = () => openedAs(kindOf(content), content, 2);
  expect(opened).toThrow(ArgumentError);
  expect(opened).toThrow(message);
});

test("an option of the command line is in no sentence", () => {
  expect(() => openedAs("ids", contentOf([1], "ids.json"), 2)).not.toThrow(/--/);
  const twice = openedAs("placement", contentOf([[0, 0, 1, 2]]), 2);
  expect(twice.warnings).toEqual([
    "own.json: layer 0 has expert 0 twice on GPU 0, where one slot would do. Is it a placement for 2 GPUs?",
  ]);
});
