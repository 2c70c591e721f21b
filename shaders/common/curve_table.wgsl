// curve_table: what the tokens in a slot cost, c(x), from a table of whole numbers that src/lp/kernels/cost_table.ts writes, so that all devices have the same.
// Times are up to 2^62 in it.
//
// Declares  table_cost(), ANY, CURVE_TILE, CURVE_SPLITS, CURVE_MANTISSA, CURVE_EXPONENT, CURVE_PACE.
// Needs     curve of time.wgsl; add64(), multiply64() of u64.wgsl.
// Barriers  none.

// Words of the table.
const CURVE_POINTS = 0u;    // how many points
const CURVE_ROUNDING = 1u;  // tokens are rounded up to so many
const CURVE_TILE = 2u;      // tokens of a unit where c comes in units of c(1); ANY where only activated experts count; 0 where it is no such case
const CURVE_SPLITS = 3u;    // 1 where a split may make an expert cheaper
const CURVE_MANTISSA = 4u;  // f32 in [1, 2): of one unit of the caller's time in the table's,
const CURVE_EXPONENT = 5u;  // and its power of two, i32
const CURVE_PACE = 6u;      // f32: units of c(1) in one of the caller's time
const CURVE_FIRST = 7u;     // points: x, c(x) as u64 (lo, hi), and what each token beyond costs

const ANY = 0xffffffffu;

/// c(x) in the table's time.
fn table_cost(x: u32) -> vec2u {
  if (x == 0u) { return vec2u(0u); }
  let rounding = curve[CURVE_ROUNDING];
  var whole = x;
  if (rounding > 1u) { whole = (x + rounding - 1u) / rounding * rounding; }  // divisions are slow
  var low = 0u;
  var high = curve[CURVE_POINTS];
  while (high - low > 1u) {
    let middle = (low + high) / 2u;
    if (curve[CURVE_FIRST + 4u * middle] <= whole) { low = middle; } else { high = middle; }
  }
  let at = CURVE_FIRST + 4u * low;
  return add64(vec2u(curve[at + 1u], curve[at + 2u]), multiply64(whole - curve[at], curve[at + 3u]));
}
