/** The public files are read whole: their counts and sums were taken by other programs. */
import { describe, expect, test } from "vitest";
import { readTrace } from "../../../src/serving/trace/read_trace.ts";
import { checkTrace } from "../../../src/serving/trace/trace.ts";
import { needsRecordedData, recordedBytes, recordedDataPresent } from "../../helpers/recorded.ts";

const sum = (values: Int32Array) => values.reduce((total, value) => total + value, 0);
const present = describe.runIf(recordedDataPresent);

present(`recorded files ${needsRecordedData}`, () => {
  // Rows, sums of inputs and outputs, the first and the last arrival: by awk.
  test.each([
    ["azure_llm_2023_code.csv", 8819, 18_059_974, 245_896, 0, 3435.948056],
    ["azure_llm_2023_conv.csv", 19_366, 22_361_870, 4_088_665, 0, 3501.721937],
    ["mooncake_fast25_conversation.jsonl.gz", 12_031, 144_793_823, 4_122_048, 0, 3536.999],
    ["mooncake_fast25_synthetic.jsonl.gz", 3993, 61_194_628, 595_432, 0, 1022.025],
    ["sharegpt_qwen3_30b_a3b_lengths.csv", 300, 258_691, 199_486, 0.046926808, 29.183763203],
    ["vidur_arxiv_summarization_lengths.csv", 28_257, 73_131_321, 8_234_948, 0, 0],
    ["burstgpt_8000_lengths.csv.gz", 8000, 2_903_183, 456_385, 0, 0],
    ["longbench_8000_lengths.csv.gz", 8000, 1_789_197_821, 296_325, 0, 0],
    ["arxiv_8000_lengths.csv.gz", 8000, 38_601_013, 3_497_301, 0, 0],
  ])("%s", async (file, requests, input, output, first, last) => {
    const trace = await readTrace(recordedBytes(`requests/${file}`));
    checkTrace(trace);
    expect(trace.requests).toBe(requests);
    expect([sum(trace.input), sum(trace.output)]).toEqual([input, output]);
    expect([trace.arrival[0], trace.arrival.at(-1)]).toEqual([first, last]);
  });

  test.each([
    ["conversation", 288_500, 182_790],
    ["synthetic", 121_877, 43_924],
  ])(
    "the blocks of Mooncake's %s, which are numbered by first appearance already",
    async (name, references, unique) => {
      const text = recordedBytes(`requests/mooncake_fast25_${name}.jsonl.gz`).toString();
      const { blocks, input } = await readTrace(text);
      const ids = text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).hash_ids as number[]);
      expect([blocks!.id.length, new Set(blocks!.id).size]).toEqual([references, unique]);
      expect(Buffer.from(blocks!.id.buffer).equals(Buffer.from(Int32Array.from(ids.flat()).buffer))).toBe(true);
      const counts = Array.from(input, (_, i) => blocks!.start[i + 1] - blocks!.start[i]);
      expect(counts).toEqual(ids.map((own) => own.length));
      expect(counts).toEqual(Array.from(input, (tokens) => Math.ceil(tokens / 512)));
    },
  );

  test.each(["servegen_mm_image_clients.json.gz", "servegen_deepseek_r1_top12_clients.json.gz"])(
    "%s is a generator's parameters and no trace",
    async (file) => {
      await expect(readTrace(recordedBytes(`requests/${file}`))).rejects.toThrow(/^trace: expected a file of one of/);
    },
  );
});
