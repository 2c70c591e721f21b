import { describe, expect, test } from "vitest";
import type { CapacityReport } from "../../../src/cli/reports/capacity_report.ts";
import { defaultStepTime } from "../../../src/cli/reports/default_step_time.ts";
import { capacity } from "../../../src/serving/capacity/capacity.ts";
import { prefillDecodeSplit } from "../../../src/serving/capacity/prefill_decode_split.ts";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";
import { ownFiles } from "../own_files.ts";

const { file } = ownFiles();

const pairs = [
  [40, 20],
  [300, 60],
  [900, 10],
  [20, 200],
];
const lengths = { input: pairs.map(([s]) => s), output: pairs.map(([, o]) => o) };
const csv = file(`input_tokens,output_tokens\n${pairs.join("\n")}\n`);
/** Two per second, for 200 s. */
const vidur = file(
  [
    "arrived_at,num_prefill_tokens,num_decode_tokens",
    ...Array.from({ length: 400 }, (_, i) => `${i / 2},${pairs[i % 4].join()}`),
  ].join("\n"),
);
const memory = ["--kv-tokens", "4000"];

async function report(args: string[], input?: string): Promise<CapacityReport> {
  const { code, stdout, stderr } = await evenkeel(["capacity", ...args, "--json"], withoutSoftware, input);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

describe("what it finds", () => {
  test("is what the library says, times in ms and a step time of one's own", async () => {
    const stepTime = { ...defaultStepTime, base: 0.02 };
    const given = file({ stepTime });
    const slo = ["--slo-ttft", "120", "--slo-tpot", "30", "--percentile", "90"];
    const found = await report([csv, ...memory, "--slots", "16", "--rate", "30", "--step-time", given, ...slo]);
    const options = { kvTokens: 4000, slots: 16, stepTime, slo: { ttft: 0.12, tpot: 0.03 }, percentile: 90 };
    expect(found.capacity).toEqual(capacity({ lengths, rate: 30 }, options));
    expect(found).toMatchObject({ requests: 4, rate: 30, arrivals: "poisson", meanInput: 315, meanOutput: 72.5 });
    expect(found).not.toHaveProperty("split");
    expect(found).not.toHaveProperty("confirmed");
  });

  test("takes the trace's rate, and replays its arrivals to confirm", async () => {
    const { rate, capacity: found, confirmed } = await report([vidur, ...memory, "--slo-ttft", "200", "--simulate"]);
    expect(rate).toBeCloseTo(2, 10);
    const around = [found.workers - 1, found.workers, found.workers + 1].filter((workers) => workers > 0);
    expect(confirmed!.map(({ workers }) => workers)).toEqual(around);
    expect(confirmed!.find(({ workers }) => workers === found.workers)!.meets).toBe(true);
  });

  test("with prefill apart, to which workers are added until the SLO is met", async () => {
    const slo = ["--slo-ttft", "300", "--slo-tpot", "45"];
    const args = [csv, ...memory, "--rate", "30", "--bandwidth", "1e5", ...slo, "--simulate"];
    const { split, confirmed } = await report(args);
    const options = {
      rate: 30,
      kvTokens: 4000,
      stepTime: defaultStepTime,
      bandwidth: 1e5,
      slo: { ttft: 0.3, tpot: 0.045 },
    };
    expect(split).toEqual(prefillDecodeSplit(lengths, options));
    const apart = confirmed!.filter(({ prefill }) => prefill !== undefined);
    expect(apart[0]).toMatchObject({ prefill: split!.prefill, workers: split!.decode });
    expect(apart.map(({ meets }) => meets)).toEqual([...new Array(apart.length - 1).fill(false), true]);
  });

  test("reads standard input", async () => {
    const { source } = await report(["-", ...memory, "--rate", "3"], "10,20\n30,40\n");
    expect(source).toBe("standard input");
  });
});

test("in words: the constraint that binds, the fleet and what it was confirmed by", async () => {
  const args = ["capacity", csv, ...memory, "--rate", "30", "--slo-tpot", "45", "--bandwidth", "1e5", "--simulate"];
  const { code, stdout, stderr } = await evenkeel(args, withoutSoftware);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const [, binds] = /^(\w+) +\d+ +yes$/m.exec(stdout)!;
  const [, workers] = /^(\d+) workers for 30 requests per s; one more adds [\d.]+\./m.exec(stdout)!;
  expect(stdout).toMatch(new RegExp(`^${binds} +${workers} `, "m"));
  expect(stdout).toMatch(new RegExp(`^${workers} +[\\d.]+ ms +[\\d.]+ ms +[\\d.]+ +met$`, "m"));
  expect(stdout).toContain("Simulated with another draw, 95th percentiles");
  expect(stdout).toContain("4 requests of");
});

test.each([
  { args: [csv, ...memory], code: 2, says: /expected requests that arrive at different times/ },
  {
    args: [csv, "--kv-tokens", "900", "--rate", "1"],
    code: 2,
    says: /^evenkeel: --kv-tokens: .*at least the 910 tokens/,
  },
  {
    args: [csv, ...memory, "--rate", "1", "--slo-ttft", "40"],
    code: 2,
    says: /^evenkeel: --slo-ttft: .*No number of workers/,
  },
  {
    args: [csv, ...memory, "--rate", "1", "--slo-tpot", "30"],
    code: 2,
    says: /^evenkeel: --slo-tpot: .*No number of workers/,
  },
  { args: [csv, ...memory, "--rate", "1", "--slo-ttft", "0"], code: 2, says: /above 0/ },
  { args: [csv, ...memory, "--rate", "1e10"], code: 2, says: /^evenkeel: --rate: / },
  { args: [csv, ...memory, "--rate", "1", "--percentile", "100"], code: 2, says: /^evenkeel: --percentile: / },
  { args: [csv, ...memory, "--rate", "inf"], code: 2, says: /--rate/ },
  { args: [csv, "--rate", "1"], code: 2, says: /--kv-tokens/ },
  { args: ["-", ...memory, "--step-time", "-"], code: 2, says: /^evenkeel: --step-time: / },
  { args: ["/nowhere", ...memory], code: 2, says: /nowhere/ },
])("refused: $says", async ({ args, code, says }) => {
  const run = await evenkeel(["capacity", ...args], withoutSoftware);
  expect(run.code).toBe(code);
  expect(run.stdout).toBe("");
  expect(run.stderr).toMatch(says);
});
