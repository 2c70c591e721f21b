// u64: the little 64-bit arithmetic that exact times and shares need, on vec2u(lo, hi). All of it is exact.
//
// Declares  add64(), less64(), larger64(), multiply64(), divide64(), MAX_I32.
// Barriers  none.

const MAX_I32 = 0x7fffffffu;

fn add64(a: vec2u, b: vec2u) -> vec2u {
  let lo = a.x + b.x;
  return vec2u(lo, a.y + b.y + select(0u, 1u, lo < a.x));
}

fn less64(a: vec2u, b: vec2u) -> bool { return a.y < b.y || (a.y == b.y && a.x < b.x); }

fn larger64(a: vec2u, b: vec2u) -> vec2u { return select(a, b, less64(a, b)); }

/// a * b in full, from 16-bit halves.
fn multiply64(a: u32, b: u32) -> vec2u {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let cross = (a >> 16u) * (b & 0xffffu);
  let other = (a & 0xffffu) * (b >> 16u);
  let middle = (low >> 16u) + (cross & 0xffffu) + (other & 0xffffu);
  return vec2u((low & 0xffffu) | (middle << 16u), (a >> 16u) * (b >> 16u) + (cross >> 16u) + (other >> 16u) + (middle >> 16u));
}

/// floor(a / b) for b < 2^31, or MAX_I32 where that is less: long division, one bit at a time.
fn divide64(a: vec2u, b: u32) -> u32 {
  if (a.y >= b) { return MAX_I32; }
  var rest = a.y;
  var quotient = 0u;
  for (var bit = 0u; bit < 32u; bit++) {
    rest = (rest << 1u) | ((a.x >> (31u - bit)) & 1u);
    quotient <<= 1u;
    if (rest >= b) {
      rest -= b;
      quotient |= 1u;
    }
  }
  return min(quotient, MAX_I32);
}
