import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { costInWords } from "../../../src/cli/files/cost_file.ts";
import { readCost } from "../../../src/cli/files/read_files.ts";
import { ArgumentError } from "../../../src/common/errors.ts";
import { expertCostRows } from "../../../src/lp/time/expert_cost_rows.ts";
import { fitExpertCost } from "../../../src/lp/time/fit_expert_cost.ts";
import { needsRecordedData, recordedBytes, recordedDataPresent } from "../../helpers/recorded.ts";
import { archive, ownFiles } from "../own_files.ts";

const { file, path } = ownFiles();

const roofline = { model: "roofline", perExpert: 6.3, perToken: 0.035 };
const curve = { tokens: [1, 100, 200], time: [6, 6, 9] };
const csv = "tokens,activated_experts,time_us\r\n1,8,50\r\n64,8,80\r\n512,8,190\r\n";

describe("JSON", () => {
  test.each<[name: string, json: object, cost: object, last: number]>([
    ["a model", roofline, roofline, Infinity],
    [
      "one with tiles",
      { ...roofline, model: "affine", tile: 16 },
      { ...roofline, model: "affine", tile: 16 },
      Infinity,
    ],
    ["a curve", curve, curve, 200],
    ["what fitExpertCost returns", { cost: curve, hull: { tokens: [1, 2], time: [1, 2] }, error: 0.1 }, curve, 200],
  ])("%s", async (_, json, cost, last) => {
    for (const content of [JSON.stringify(json), ` \n${JSON.stringify(json)}`, gzipSync(JSON.stringify(json))]) {
      const source = file(content);
      expect(await readCost(source)).toEqual({ source, cost, last });
    }
  });

  test("in words", async () => {
    const source = file(curve);
    expect(costInWords(await readCost(source))).toBe(`Cost of an expert's tokens: ${source}.`);
  });
});

describe("a table", () => {
  test("is fitted, and its error told", async () => {
    const rows = expertCostRows(csv, { topK: 8 });
    const { cost, error } = fitExpertCost(rows);
    for (const content of [csv, gzipSync(csv), Buffer.from(`\ufeff${csv}`, "utf16le")]) {
      const source = file(content);
      const read = await readCost(source, 8);
      expect(read).toEqual({ source, cost, last: 512, fit: { rows: 3, error } });
      const sentence = `Cost of an expert's tokens: fitted to 3 measured times of ${source}, each ${(100 * error).toFixed(0)} %`;
      expect(costInWords(read)).toBe(`${sentence} from what the others predict, on average.`);
    }
  });

  test("that says how many experts a token has needs no topK", async () => {
    const shared =
      "num_tokens,topk,num_experts,ep,distribution,latency_ms\n8,8,256,8,uniform,0.1\n64,8,256,8,uniform,0.6";
    const { cost, last } = await readCost(file(shared));
    expect({ cost, last }).toEqual({ cost: { tokens: [1, 2], time: [12.5, 18.75] }, last: 2 });
  });

  test.runIf(recordedDataPresent)(`as recorded ${needsRecordedData}`, async () => {
    const name = "perf/llmservingsim_qwen3_30b_a3b_rtxpro6000_tp1_moe.csv";
    const source = fileURLToPath(new URL(`../../../../shared/data/${name}`, import.meta.url));
    const { cost, last, fit } = await readCost(source, 8);
    expect(cost).toEqual(fitExpertCost(expertCostRows(recordedBytes(name).toString(), { topK: 8 })).cost);
    expect({ last, rows: fit!.rows }).toEqual({ last: 2048, rows: 50 });
  });
});

describe("is refused, with the file's name and the place in it:", () => {
  const several = "num_tokens,topk,num_experts,kernel,time_us\n8,8,256,a,9\n8,8,256,b,9";
  test.each<[name: string, content: unknown, message: string, topK?: number]>([
    [
      "a field that is missing",
      { model: "roofline", perExpert: 1 },
      "FILE: cost.perToken: expected 0, or a number within 1e-30 to 1e+30, got undefined.",
    ],
    [
      "a field that nobody reads",
      { ...roofline, perexpert: 7 },
      'FILE: cost: expected only model, perExpert, perToken, tile, got "perexpert". Did you mean perExpert?',
    ],
    [
      "a curve that falls",
      { ...curve, time: [6, 7, 5] },
      "FILE: cost.time[2]: expected a number of at least time[1] = 7, since more tokens never take less time, within 1e-30 to 1e+30, got 5.",
    ],
    [
      "one within",
      { cost: { ...curve, tokens: [1, 1, 2] }, error: 0 },
      "FILE: cost.tokens[1]: expected a number above tokens[0] = 1, at most 2147483647, got 1.",
    ],
    [
      "no cost",
      { loads: [[1, 2]] },
      "FILE: expected { model, perExpert, perToken } or { tokens, time }, or a table with a header, got an object of Object. Its fields: loads.",
    ],
    [
      "rows",
      [[1, 2]],
      "FILE: expected { model, perExpert, perToken } or { tokens, time }, or a table with a header, got Array of length 1.",
    ],
    [
      "no cost within",
      { cost: null },
      "FILE: expected { model, perExpert, perToken } or { tokens, time }, or a table with a header, got null.",
    ],
    ["JSON cut short", '{ "model": "roofline"', "FILE: expected JSON, plain or in gzip, got "],
    ["topK beside JSON", roofline, "--cost-top-k: expected none, as FILE is no table, got 8.", 8],
    ["nothing", "", 'FILE: expected a column tokens or num_tokens, got "".'],
    ["no topK", csv, "--cost-top-k: expected how many experts a token has, got undefined."],
    [
      "no number of experts",
      "tokens,topk,time_us\n1,8,2",
      "FILE: expected a column num_experts, how many experts the model has, got undefined. The table has no column activated_experts or num_experts.",
    ],
    [
      "lines that differ",
      several,
      'FILE: expected lines measured alike but for tokens and activated experts, got "several kinds". They differ in kernel (a, b). Keep the lines of one.',
    ],
    ["a wrong value", `${csv}4,8,fast`, 'FILE: line 5, time_us: expected a number > 0, got "fast".', 8],
    ["a line cut short", `${csv}4,8`, "FILE: line 5: expected 3 values, as in the header, got 2.", 8],
    [
      "one number of tokens",
      csv.slice(0, 40),
      "FILE: expected rows with at least two numbers of tokens per activated expert, more than 1 % apart, got 1.",
      8,
    ],
    ["an archive", archive("data.npy"), "FILE: expected text, JSON for example, got "],
  ])("%s", async (_, content, message, topK) => {
    const source = file(content);
    const error = await readCost(source, topK).then(
      () => "read",
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ArgumentError);
    expect((error as Error).message.startsWith(message.replaceAll("FILE", source)), (error as Error).message).toBe(
      true,
    );
  });

  test("no file", async () => {
    const source = path();
    await expect(readCost(source)).rejects.toThrow(`${source}: expected a file that can be read`);
  });
});
