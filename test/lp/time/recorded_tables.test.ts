/** The tables of measured times that are recorded beside the repository. */
import { describe, expect, test } from "vitest";
import { type CostTableOptions, expertCostRows } from "../../../src/lp/time/expert_cost_rows.ts";
import { fitExpertCost } from "../../../src/lp/time/fit_expert_cost.ts";
import { errorOf } from "../../helpers/bad_input.ts";
import { timeOn } from "../../helpers/curves.ts";
import { needsRecordedData, recordedBytes, recordedDataPresent } from "../../helpers/recorded.ts";

test.runIf(recordedDataPresent)(`the table of an RTX PRO 6000 ${needsRecordedData}`, () => {
  const csv = recordedBytes("perf/llmservingsim_qwen3_30b_a3b_rtxpro6000_tp1_moe.csv").toString();
  const { cost, hull, error } = fitExpertCost(expertCostRows(csv, { topK: 8 }));
  // Times per expert as SOURCES.md has them, of one row each; that of x = 1 is of 8 experts, the median of 128: 6.39.
  const known = { 1: 6.3, 128: 8.3, 256: 10.7, 512: 18.8, 1024: 36.6, 2048: 72.3 };
  for (const [x, time] of Object.entries(known)) expect(Math.abs(timeOn(cost, +x) / time - 1), x).toBeLessThan(0.015);
  expect(cost.tokens).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048]);
  expect(hull).toBe(cost);
  expect(error).toBeCloseTo(0.094, 3); // by a program of its own
});

/** The lines of a recorded table that have these values, and the header. */
function kept(name: string, values: Record<string, string>): string {
  const [names, ...lines] = recordedBytes(`perf/${name}`).toString().trimEnd().split("\n");
  const columns = names.split(",");
  const is = (cells: string[]) =>
    Object.entries(values).every(([name, value]) => cells[columns.indexOf(name)] === value);
  return [names, ...lines.filter((one) => is(one.split(",")))].join("\n");
}

describe(`recorded tables ${needsRecordedData}`, () => {
  const alike =
    'csv: expected lines measured alike but for tokens and activated experts, got "several kinds". They differ in';
  const remedy = "Keep the lines of one; topK, experts and ep pick theirs.";
  const sglang = "aic_sglang_0.5.10_wideep_moe.csv.gz";
  const vllm = "aic_vllm_0.19_h100_moe.csv.gz";

  test.runIf(recordedDataPresent)("are refused while they hold several kinds, each of which is named", () => {
    const whole = errorOf(() => expertCostRows(recordedBytes(`perf/${sglang}`).toString(), { ep: 4 })) as Error;
    const devices = "device (h100_sxm, h200_sxm, b200_sxm, gb200), phase (generation, context)";
    const routings =
      "distribution (uniform, power_law_0.6, power_law_0.8, power_law_1.01, power_law_1.02, power_law_1.2)";
    expect(whole.message).toBe(`${alike} ${devices}, ${routings}. ${remedy}`);
    const other = errorOf(() =>
      expertCostRows(recordedBytes(`perf/${vllm}`).toString(), { ep: 8, experts: 256 }),
    ) as Error;
    expect(other.message).toContain(
      "moe_dtype (bfloat16, int4_wo, fp8, fp8_block), kernel (vllm_fused_moe, vllm_marlin_int4_moe)",
    );
  });

  const generation = { device: "h100_sxm", phase: "generation", distribution: "uniform" };

  test.runIf(recordedDataPresent)(
    "SGLang's decode: the experts activated double with tokens until all 32 are, then it is level",
    () => {
      const rows = expertCostRows(kept(sglang, generation), { ep: 8 });
      expect(rows.map(({ activated }) => activated)).toEqual([8, 16, 32, 32, 32, 32, 32, 32]);
      const x = rows.map(({ tokens, topK, activated }) => (tokens * topK) / activated);
      expect(x).toEqual([1, 1, 1, 2, 4, 8, 16, 32]);
      expect(rows.slice(0, 3).map(({ time }) => Math.round(time))).toEqual([165, 283, 529]);
      // About 16 us an expert, whatever the tokens.
      const { cost } = fitExpertCost(rows);
      for (const n of [1, 4, 32]) expect(Math.abs(timeOn(cost, n) - 16.5), `${n} tokens`).toBeLessThan(0.3);
    },
  );

  test.runIf(recordedDataPresent)("GPUs that share differently measure the same curve, where both measure it", () => {
    const time = (ep: number, x: number) =>
      timeOn(fitExpertCost(expertCostRows(kept(sglang, generation), { ep })).cost, x);
    for (const x of [1, 8, 16]) expect(Math.abs(time(8, x) / time(4, x) - 1), `${x} tokens`).toBeLessThan(0.05);
  });

  test.runIf(recordedDataPresent)("all that can be picked of both: read, fitted, with subadditive hulls", () => {
    let [fitted, mended] = [0, 0];
    const tryOn = (csv: string, options: CostTableOptions) => {
      if (!csv.includes("\n")) return;
      const { cost, hull, error } = fitExpertCost(expertCostRows(csv, options));
      fitted++;
      if (hull !== cost) mended++;
      expect(error).toBeLessThan(0.2);
    };
    for (const device of ["h100_sxm", "h200_sxm", "b200_sxm", "gb200"]) {
      for (const phase of ["generation", "context"]) {
        const csv = kept(sglang, { device, phase, distribution: "uniform" });
        for (const ep of new Set(
          csv
            .split("\n")
            .slice(1)
            .map((one) => Number(one.split(",")[10])),
        ))
          tryOn(csv, { ep });
      }
    }
    for (const moe_dtype of ["bfloat16", "int4_wo", "fp8", "fp8_block"]) {
      for (const ep of [1, 2, 4, 8, 16, 32, 64, 128]) {
        for (const experts of [128, 256]) tryOn(kept(vllm, { moe_dtype, distribution: "balanced" }), { ep, experts });
      }
    }
    expect(fitted).toBeGreaterThan(100);
    expect(mended).toBeGreaterThan(2);
  });
});
