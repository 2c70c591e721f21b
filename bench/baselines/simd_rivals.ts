/** The rivals that are written as text, four LPs at a time on one core. */
import type { Method } from "../method.ts";
import { tokensFrom } from "./edge_balance.ts";
import { balanceEdgesText } from "./edge_balance_text.ts";
import { simdMethod } from "./simd_text.ts";
import { searchThresholdText } from "./threshold_text.ts";

export const edgeBalanceSimd: Method = simdMethod(
  { name: "edge balancing, simd", tokens: "fractional" },
  balanceEdgesText,
  (work, lp, row) => tokensFrom(work, lp, new Float32Array(row.buffer, row.byteOffset, row.length)),
);

export const thresholdSimd: Method = simdMethod(
  { name: "threshold search, simd", tokens: "integer" },
  searchThresholdText,
  (_, __, row) => row,
);
