import { describe, expect, test } from "vitest";
import { ArgumentError, ShapeError } from "../../../src/index.ts";
import { type CostTableOptions, expertCostRows } from "../../../src/lp/time/expert_cost_rows.ts";
import { errorOf, expectError, noNumbers } from "../../helpers/bad_input.ts";

const counted = "tokens,activated_experts,time_us\r\n1,8,50.2297\r\n2,16,134.976\r\n";
const header = "device,kernel,num_tokens,hidden_size,topk,num_experts,ep,distribution,latency_ms";
const line = (tokens: number, other: Record<string, unknown> = {}) =>
  Object.values({
    ...{ device: "h100", kernel: "deepgemm", tokens, hidden: 7168, topk: 8, experts: 256, ep: 8 },
    ...{ distribution: "uniform", ms: 0.25, ...other },
  }).join();
const shared = (...lines: string[]) => [header, ...lines].join("\n");

describe("forms", () => {
  test("activated experts are counted in the table: LLMServingSim's, with CRLF", () => {
    const rows = [
      { tokens: 1, activated: 8, topK: 8, time: 50.2297 },
      { tokens: 2, activated: 16, topK: 8, time: 134.976 },
    ];
    expect(expertCostRows(counted, { topK: 8 })).toEqual(rows);
    expect(expertCostRows(`\ufeff${counted.replaceAll("\r", "").replaceAll(",", " ,")}\n\n`, { topK: 8 })).toEqual(
      rows,
    );
    expect(expertCostRows("time_us,topk,tokens,activated_experts\n9,4,3,5")).toEqual([
      { tokens: 3, activated: 5, topK: 4, time: 9 },
    ]);
    expect(expertCostRows("tokens,activated_experts,time_us,ep\n2,1,30,4\n1,1,20,2", { topK: 1, ep: 4 })).toEqual([
      { tokens: 2, activated: 1, topK: 1, time: 30 },
    ]);
  });

  test("or follow from balanced routing, once a GPU has one: n topk / ep of them, up to its own", () => {
    // 8 GPUs with 32 experts each: 1 token makes 1 assignment a GPU, 32 tokens 32, 64 tokens 64 on the same 32 experts.
    const csv = shared(...[1, 8, 32, 64].map((n) => line(n)));
    expect(expertCostRows(csv)).toEqual([
      { tokens: 1 / 8, activated: 1, topK: 8, time: 250 },
      { tokens: 1, activated: 8, topK: 8, time: 250 },
      { tokens: 4, activated: 32, topK: 8, time: 250 },
      { tokens: 8, activated: 32, topK: 8, time: 250 },
    ]);
    expect(expertCostRows(shared(line(1, { ep: 16 }), line(2, { ep: 16 })))).toEqual([
      { tokens: 1 / 8, activated: 1, topK: 8, time: 250 },
    ]);
    expect(expertCostRows(shared(line(2, { distribution: "balanced", ep: 1, experts: 10 })))).toEqual([
      { tokens: 2, activated: 10, topK: 8, time: 250 },
    ]);
  });

  test("what a table does not say is given", () => {
    const csv = "num_tokens,time_us\n4,90\n1,30";
    expect(expertCostRows(csv, { topK: 4, experts: 32, ep: 4 })).toEqual([
      { tokens: 1, activated: 4, topK: 4, time: 90 },
      { tokens: 1 / 4, activated: 1, topK: 4, time: 30 },
    ]);
    expect(expertCostRows(csv, { topK: 4, experts: 8 }).map(({ activated }) => activated)).toEqual([8, 4]);
  });
});

test("options pick the rows that have it", () => {
  const lines = [line(64), line(64, { ep: 4 }), line(64, { experts: 128 }), line(64, { topk: 4 })];
  const [first, fewer, smaller, halved] = lines.map((one) => expertCostRows(shared(one)));
  const all = { ep: 8, experts: 256, topK: 8 };
  expect(expertCostRows(shared(...lines), all)).toEqual(first);
  expect(expertCostRows(shared(...lines), { ...all, ep: 4 })).toEqual(fewer);
  expect(expertCostRows(shared(...lines), { ep: 8, experts: 128 })).toEqual(smaller);
  expect(expertCostRows(shared(...lines), { topK: 4 })).toEqual(halved);
  expect(new Set([first, fewer, smaller, halved].map((rows) => JSON.stringify(rows))).size).toBe(4);
});

const remedy = "Keep the lines of one; topK, experts and ep pick theirs.";
const alike =
  'csv: expected lines measured alike but for tokens and activated experts, got "several kinds". They differ in';
type Case = [name: string, csv: unknown, options: object | null, message: string, kind: typeof ArgumentError];

test.each<Case>([
  [
    "devices",
    shared(line(8), line(16, { device: "b200" })),
    {},
    `${alike} device (h100, b200). ${remedy}`,
    ArgumentError,
  ],
  [
    "kernels, sizes and distributions",
    shared(line(8), line(8, { kernel: "triton", hidden: 2048, distribution: "power_law_1.2" })),
    {},
    `${alike} kernel (deepgemm, triton), hidden_size (7168, 2048), distribution (uniform, power_law_1.2). ${remedy}`,
    ArgumentError,
  ],
  [
    "GPUs, of which many",
    shared(...[1, 2, 4, 8, 16, 32, 64, 128].map((ep) => line(8, { ep }))),
    {},
    `${alike} ep (1, 2, 4, 8, 16, 32 and 2 more). ${remedy}`,
    ArgumentError,
  ],
  [
    "what is picked leaves differing",
    shared(line(8), line(8, { ep: 4 }), line(8, { topk: 4, ep: 4 })),
    { ep: 4 },
    `${alike} topk (8, 4). ${remedy}`,
    ArgumentError,
  ],
  [
    "tables that count experts, too",
    "tokens,activated_experts,time_us,dtype\n1,8,50,fp8\n1,8,90,bf16",
    { topK: 8 },
    `${alike} dtype (fp8, bf16). ${remedy}`,
    ArgumentError,
  ],
  [
    "routing that is not balanced",
    shared(line(8, { distribution: "power_law_1.2" })),
    {},
    'csv: line 2, distribution: expected uniform or balanced, got "power_law_1.2".',
    ArgumentError,
  ],
])("rows that differ are refused: %s", (_, csv, options, message, kind) =>
  expectError(
    errorOf(() => expertCostRows(csv as string, options as CostTableOptions)),
    message,
    kind,
  ),
);

test.each<Case>([
  [
    "no topK",
    counted,
    {},
    "options.topK: expected how many experts a token has, got undefined. The table has no column topk.",
    ArgumentError,
  ],
  [
    "no experts",
    "tokens,time_us\n1,2",
    { topK: 1 },
    "options.experts: expected how many experts the model has, got undefined. The table has no column activated_experts or num_experts.",
    ArgumentError,
  ],
  [
    "experts beside counted ones",
    counted,
    { topK: 8, experts: 128 },
    "options.experts: expected none, as the table counts activated experts, got 128.",
    ArgumentError,
  ],
  [
    "ep beside counted ones",
    counted,
    { topK: 8, ep: 2 },
    "options.ep: expected none, as the table counts activated experts, got 2.",
    ArgumentError,
  ],
  [
    "a pick of none",
    shared(line(8), line(8, { ep: 4 })),
    { ep: 3 },
    "options.ep: expected one of the table's, 8, 4, got 3.",
    ArgumentError,
  ],
  [
    "more GPUs than experts",
    shared(line(8, { ep: 512 })),
    {},
    "csv: line 2, ep: expected at most as many GPUs as experts, 256, got 512.",
    ArgumentError,
  ],
  [
    "a misspelt option",
    counted,
    { topk: 8 },
    'options: expected only topK, experts, ep, got "topk". Did you mean topK?',
    ArgumentError,
  ],
  ["no options", counted, null, "options: expected an object, got null.", ArgumentError],
  ...noNumbers
    .filter(([, value]) => value !== undefined)
    .map(
      ([shown, value]): Case => [
        `topK ${shown}`,
        counted,
        { topK: value },
        `options.topK: expected an integer >= 1, got ${shown}.`,
        ArgumentError,
      ],
    ),
  ["ep 0", shared(line(8)), { ep: 0 }, "options.ep: expected an integer >= 1, got 0.", ArgumentError],
  [
    "no text",
    Buffer.from(counted),
    { topK: 8 },
    `csv: expected the text of a table, got Buffer of length ${counted.length}.`,
    ArgumentError,
  ],
  [
    "nothing",
    "",
    {},
    'csv: expected a column tokens or num_tokens, got "". The first line names the columns.',
    ArgumentError,
  ],
  [
    "another table",
    "layer,tokens,seconds\na,1,2",
    {},
    'csv: expected a column time_us or latency_ms, got "layer,tokens,seconds". The first line names the columns.',
    ArgumentError,
  ],
  ["a header alone", `${header}\n\n`, {}, "csv: expected a line of values below the header, got 0.", ShapeError],
  [
    "a line cut short",
    `${counted}4,8\r\n`,
    { topK: 8 },
    "csv: line 4: expected 3 values, as in the header, got 2.",
    ShapeError,
  ],
  [
    "rows that say nothing",
    shared(line(1, { ep: 16 })),
    {},
    "csv: expected a row with one assignment or more, got 0.",
    ShapeError,
  ],
  [
    "too many activated",
    `${counted}4,33,9`,
    { topK: 8 },
    'csv: line 4, activated_experts: expected a number from 1 to tokens * topK = 32, got "33".',
    ArgumentError,
  ],
  [
    "none activated",
    `${counted}4,0,9`,
    { topK: 8 },
    'csv: line 4, activated_experts: expected a number from 1 to tokens * topK = 32, got "0".',
    ArgumentError,
  ],
  ...["", "0", "-1", "NaN", "Infinity", "7us", "n/a"].map(
    (text): Case => [
      `a time of ${text}`,
      `${counted}4,8,${text}`,
      { topK: 8 },
      `csv: line 4, time_us: expected a number > 0, got "${text}".`,
      ArgumentError,
    ],
  ),
  [
    "no tokens",
    shared(line(8), line(0)),
    {},
    'csv: line 3, num_tokens: expected a number > 0, got "0".',
    ArgumentError,
  ],
  [
    "half an expert",
    shared(line(8, { topk: 1.5 })),
    {},
    'csv: line 2, topk: expected an integer >= 1, got "1.5".',
    ArgumentError,
  ],
  [
    "no GPUs",
    shared(line(8), line(8, { ep: "x" })),
    { ep: 8 },
    'csv: line 3, ep: expected an integer >= 1, got "x".',
    ArgumentError,
  ],
])("bad input: %s", (_, csv, options, message, kind) =>
  expectError(
    errorOf(() => expertCostRows(csv as string, options as CostTableOptions)),
    message,
    kind,
  ),
);
