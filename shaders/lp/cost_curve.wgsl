// cost_curve: what the tokens in a slot cost, in ticks of one LP and in units. A tick is 2^tick_bits of the table's time, so coarse that all slots of the LP
// together, each with all tokens of its expert, and what the GPUs do besides, stay below 2^30.
//
// Declares  ticks_of(), set_ticks(), base_ticks(), base_units(), units_of(), tokens_of(), weighs_one(), unit_ticks(), is_exact(), may_split(), work_of(), MOST_UNITS.
// Needs     topology, load, base, curve, params, tokens of time.wgsl; record, gpus, experts, start_of(), label(), AT_... of topology_record.wgsl;
//           table_cost(), ANY, CURVE_TILE, CURVE_SPLITS, CURVE_MANTISSA, CURVE_EXPONENT, CURVE_PACE of curve_table.wgsl; add64(), multiply64(), length64(),
//           rounded64() of u64.wgsl.
// Barriers  none.

const TICK_LENGTH = 30u;  // bits of the largest sum of ticks
const MOST_UNITS = 1000000000;  // of what a GPU does besides; more are cut off
const TOLD_APART = 24u;  // bits of c(1) at least, for costs to be told apart: a curve may rise too steeply for the table
const DROPPED = 32u;      // bits of each term that the sum is estimated without, so that it cannot overflow

var<private> tick_bits: u32;

fn ticks_of(x: i32) -> i32 { return i32(rounded64(table_cost(u32(x)), tick_bits)); }

/// Of the caller's time of GPU g, in the table's, but for its power of two.
fn base_mantissa(p: u32, g: u32) -> f32 {
  if (params.has_base == 0u) { return 0.0; }
  return bitcast<f32>(base[p * params.gpus + label(g)]) * bitcast<f32>(curve[CURVE_MANTISSA]);
}

/// Chooses the ticks of LP p.
fn set_ticks(p: u32) {
  var sum = vec2u(0u);
  for (var e = 0u; e < experts; e++) {
    let each = rounded64(table_cost(u32(tokens[e])), DROPPED);
    sum = add64(sum, multiply64(each + 1u, start_of(e + 1u) - start_of(e)));
  }
  for (var i = 0u; i < topology[record + AT_SINGLES]; i++) {
    let x = load[p * params.experts + topology[record + AT_SINGLE + i]];
    sum = add64(sum, vec2u(rounded64(table_cost(u32(x)), DROPPED) + 1u, 0u));
  }
  var besides = 0.0;
  for (var g = 0u; g < gpus; g++) { besides += abs(base_mantissa(p, g)); }
  let of_base = i32((bitcast<u32>(besides) >> 23u) & 0xffu) - 126 + bitcast<i32>(curve[CURVE_EXPONENT]);
  let bits = max(i32(length64(sum) + DROPPED), select(0, of_base, besides > 0.0)) + 1;
  tick_bits = u32(clamp(bits - i32(TICK_LENGTH), 0, 63));
}

/// What GPU g does besides, in ticks.
fn base_ticks(p: u32, g: u32) -> i32 {
  return i32(round(ldexp(base_mantissa(p, g), bitcast<i32>(curve[CURVE_EXPONENT]) - i32(tick_bits))));
}

/// The same in units of c(1): the whole part, and the rest in 2^-32, as i32 bits (lo, hi).
fn base_units(p: u32, g: u32) -> vec2i {
  if (params.has_base == 0u) { return vec2i(0); }
  let units = clamp(bitcast<f32>(base[p * params.gpus + label(g)]) * bitcast<f32>(curve[CURVE_PACE]), -f32(MOST_UNITS), f32(MOST_UNITS));
  let whole = floor(units);
  return vec2i(bitcast<i32>(u32((units - whole) * 4294967296.0)), i32(whole));
}

/// Whether c comes in units of c(1).
fn is_exact() -> bool { return curve[CURVE_TILE] > 0u; }

/// Units of x tokens: tiles, or 1 where only activated experts count, or where that is all that can be said.
fn units_of(x: i32) -> i32 {
  let tile = curve[CURVE_TILE];
  if (tile == 0u || tile == ANY) { return min(x, 1); }
  return i32((u32(x) + tile - 1u) / tile);
}

/// Tokens of that many units, at most `left`.
fn tokens_of(units: i32, left: i32) -> i32 {
  let tile = curve[CURVE_TILE];
  if (tile == 0u || tile == ANY) { return select(0, left, units > 0); }
  return i32(min(u32(left), u32(units) * tile));
}

fn unit_ticks() -> i32 { return ticks_of(1); }

/// Whether x tokens cost no more than one.
fn weighs_one(x: i32) -> bool {
  if (length64(table_cost(1u)) < TOLD_APART) { return false; }
  return x == 0 || all(table_cost(u32(x)) == table_cost(1u));
}

/// Whether a split may make an expert cheaper.
fn may_split() -> bool { return curve[CURVE_SPLITS] > 0u; }

/// What x tokens cost at least in that many slots, in ticks; where splits may be cheaper, the best of the even ones stands for it.
fn work_of(x: i32, slots: u32) -> i32 {
  var least = ticks_of(x);
  if (!may_split()) { return least; }
  for (var parts = 2; parts <= min(i32(slots), x); parts++) {
    let each = x / parts;
    let larger = x % parts;
    least = min(least, larger * ticks_of(each + 1) + (parts - larger) * ticks_of(each));
  }
  return least;
}
