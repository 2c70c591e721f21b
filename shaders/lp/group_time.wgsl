// group_time: whole_time.wgsl by the lanes of a group.
//
// Declares  time_alone(), set_caps(), raise_time(), wg_cap.
// Needs     places, fixed, pace(), wg_member, WG, EQUAL_SPEEDS, MAX_GPUS of group.wgsl; tokens_each(), units_per_token(), skip_ahead() of
//           token_time.wgsl; less64(), larger64(), add64(), multiply64(), divide64() of u64.wgsl; Totals, Counts, LEAST of totals.wgsl; reduce(),
//           reduce_counts() of workgroup_reduce.wgsl or subgroup_reduce.wgsl.
// Barriers  in raise_time(), with unequal speeds: 2 (0 with subgroups), and 3 (2) for each look at the time.

const SIGN = 0x80000000u;  // times at equal speeds are token counts, of any sign: shifted by this they sort as unsigned

var<workgroup> wg_cap: array<i32, MAX_GPUS>;

/// When a GPU is done with these tokens, in a form that sorts as u64.
fn time_alone(tokens: i32, row: u32) -> vec2u {
  if (EQUAL_SPEEDS) { return vec2u(bitcast<u32>(tokens) ^ SIGN, 0u); }
  return multiply64(u32(max(tokens, 0)), pace(row));
}

fn set_caps(lane: u32, time: vec2u) {
  for (var k = lane; k < places; k += WG) {
    if (EQUAL_SPEEDS) { wg_cap[k] = bitcast<i32>(time.x ^ SIGN); } else { wg_cap[k] = i32(divide64(time, pace(k))); }
  }
}

/// The time by which S = wg_member can be done with `inside` tokens, if that is later than `time`. Sets the caps to it. `inside`, `time` and
/// `size`, the GPUs of S, are uniform; members are read by the lanes that own them.
fn raise_time(lane: u32, so_far: vec2u, inside: i32, size: i32) -> vec2u {
  if (EQUAL_SPEEDS) {
    let later = larger64(so_far, vec2u(bitcast<u32>(tokens_each(inside, size)) ^ SIGN, 0u));
    set_caps(lane, later);
    return later;
  }
  var rate = 0.0;  // tokens per unit of time
  for (var k = fixed + lane; k < places; k += WG) { rate += select(0.0, 1.0 / f32(pace(k)), wg_member[k] != 0u); }
  let units = units_per_token(reduce(Totals(vec4f(rate, 0.0, 0.0, 0.0), vec4f(LEAST)), lane).sums.x);
  var time = so_far;
  loop {
    // Tokens that S can have done by now, in two halves, since they may be more than u32 holds; and the complement of when the next is done.
    var own = Counts(vec2u(0u), vec2u(0u));
    for (var k = fixed + lane; k < places; k += WG) {
      if (wg_member[k] == 0u) { continue; }
      let cap = divide64(time, pace(k));
      own.sums += vec2u(cap & 0xffffu, cap >> 16u);
      own.most = larger64(own.most, ~multiply64(cap + 1u, pace(k)));
    }
    let all = reduce_counts(own, lane);
    let have = add64(vec2u(all.sums.x, 0u), vec2u(all.sums.y << 16u, all.sums.y >> 16u));
    if (inside <= 0 || !less64(have, vec2u(u32(inside), 0u))) { break; }
    time = skip_ahead(~all.most, inside - i32(have.x), size, units);
  }
  set_caps(lane, time);
  return time;
}
