/** The rivals that are written as text, four LPs at a time on one core. */
import { masked } from "../../src/lp/text/masked.ts";
import type { Method } from "../method.ts";
import { tokensFrom } from "./edge_balance.ts";
import { balanceEdgesText } from "./edge_balance_text.ts";
import { simdMethod, together } from "./simd_text.ts";
import { searchThresholdText } from "./threshold_text.ts";

export const edgeBalanceSimd: Method = simdMethod(
  { name: "edge balancing, simd", tokens: "fractional" },
  balanceEdgesText,
  together, // further sweeps do no harm: masks would cost 15 to 25 % of the time
  (work, lp, row) => tokensFrom(work, lp, new Float32Array(row.buffer, row.byteOffset, row.length)),
);

export const thresholdSimd: Method = simdMethod(
  { name: "threshold search, simd", tokens: "integer" },
  searchThresholdText,
  masked,
  (_, __, row) => row,
);
