// whole_time: how many whole tokens each GPU may hold by the time that a cut S proves to be needed.
//
//   equal speeds     cap = ceil(inside(S) / |S|)
//   unequal speeds   the earliest time by which the GPUs of S serve inside(S) whole tokens: sum_{g in S} floor(v_g t) >= inside(S)
//
// Unequal speeds count time in units so fine that a token on the slowest GPU takes about 2^31 of them: pace_g = round((2^31 - 1) v_min / v_g)
// as u32, times as u64 (lo, hi). All of it is integer arithmetic, hence exact for these paces; the host checks the result against the
// speeds in f64 and finishes the rare LP in which rounding a speed to a pace changed the order of two nearly equal times.
// Times are not negative: an LP whose bound is (base loads below zero) is given up, and left to the host as well.
//
// Declares  start_caps(), raise_caps().
// Needs     gpus, pace() of topology_record.wgsl, or of specialised.wgsl with the text generated for it; member, cap, EQUAL_SPEEDS of lane.wgsl, or of
//           specialised.wgsl with the text generated for it; tokens_each(), units_per_token(), skip_ahead() of token_time.wgsl; MAX_I32, less64(),
//           multiply64(), divide64() of u64.wgsl.
// Barriers  none.

var<private> tau: vec2u;  // the current time

fn start_caps() {
  tau = vec2u(0u);
  for (var g = 0u; g < gpus; g++) { cap[g] = -i32(MAX_I32); }
}

/// Raises the caps to what S = `member` needs for `inside` tokens. Caps never fall.
fn raise_caps(inside: i32) {
  var size = 0;
  for (var g = 0u; g < gpus; g++) { size += select(0, 1, member[g]); }
  if (EQUAL_SPEEDS) {
    let needed = tokens_each(inside, size);
    for (var g = 0u; g < gpus; g++) { cap[g] = max(cap[g], needed); }
    return;
  }

  var rate = 0.0;  // tokens per unit of time
  for (var g = 0u; g < gpus; g++) { rate += select(0.0, 1.0 / f32(pace(g)), member[g]); }
  let units = units_per_token(rate);
  loop {
    var missing = inside;
    var next = vec2u(0xffffffffu);  // when the next token of S is served
    for (var g = 0u; g < gpus; g++) {
      cap[g] = i32(divide64(tau, pace(g)));
      if (!member[g]) { continue; }
      missing -= cap[g];  // cannot overflow before it is negative: `size` caps reach `inside` first
      let served = multiply64(u32(cap[g]) + 1u, pace(g));
      if (less64(served, next)) { next = served; }
    }
    if (missing <= 0) { return; }
    tau = skip_ahead(next, missing, size, units);
  }
}
