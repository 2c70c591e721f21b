// token_time: by when a set of GPUs can have served so many whole tokens, at equal speeds and in units of time: what whole_time.wgsl and
// group_time.wgsl share.
//
// Declares  tokens_each(), units_per_token(), skip_ahead().
// Needs     add64() of u64.wgsl.
// Barriers  none.

const UNDERSTATEMENT = 1e-5;  // f32 rounding of sums and products of up to some hundred terms
const TWO_32 = 4294967296.0;

/// ceil(inside / size), for GPUs of equal speed: division truncates, and inside may be of either sign.
fn tokens_each(inside: i32, size: i32) -> i32 {
  let whole = inside / size;
  return whole + select(0, 1, inside > whole * size);
}

/// Of GPUs that serve `rate` tokens per unit together, a little understated, so that a jump in time never goes too far.
fn units_per_token(rate: f32) -> f32 { return (1.0 - UNDERSTATEMENT) / rate; }

/// A time that is not too late for the last of `missing` tokens: by `time`, `size` GPUs could have served at most `size` tokens more, had tokens
/// been divisible.
fn skip_ahead(time: vec2u, missing: i32, size: i32, units: f32) -> vec2u {
  if (missing <= 2 * size) { return time; }
  return add64(time, time64(f32(missing - 2 * size) * units));
}

fn time64(units: f32) -> vec2u {
  let hi = floor(units / TWO_32);
  return vec2u(u32(max(units - hi * TWO_32, 0.0)), u32(hi));
}
