// u64: the little 64-bit arithmetic that exact times and shares need, on vec2u(lo, hi). All of it is exact.
//
// Declares  add64(), subtract64(), less64(), larger64(), multiply64(), divide64(), quotient64(), length64(), rounded64(), MAX_I32.
// Barriers  none.

const MAX_I32 = 0x7fffffffu;

fn add64(a: vec2u, b: vec2u) -> vec2u {
  let lo = a.x + b.x;
  return vec2u(lo, a.y + b.y + select(0u, 1u, lo < a.x));
}

/// a - b for a >= b.
fn subtract64(a: vec2u, b: vec2u) -> vec2u { return vec2u(a.x - b.x, a.y - b.y - select(0u, 1u, a.x < b.x)); }

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

/// floor((high 2^32 + low) / b) for high < b < 2^31: long division, one bit at a time.
fn long_division(high: u32, low: u32, b: u32) -> u32 {
  var rest = high;
  var quotient = 0u;
  for (var bit = 0u; bit < 32u; bit++) {
    rest = (rest << 1u) | ((low >> (31u - bit)) & 1u);
    quotient <<= 1u;
    if (rest >= b) {
      rest -= b;
      quotient |= 1u;
    }
  }
  return quotient;
}

/// floor(a / b) for b < 2^31, or MAX_I32 where that is less.
fn divide64(a: vec2u, b: u32) -> u32 {
  if (a.y >= b) { return MAX_I32; }
  return min(long_division(a.y, a.x, b), MAX_I32);
}

/// floor(a / b) for 0 < b < 2^31.
fn quotient64(a: vec2u, b: u32) -> vec2u { return vec2u(long_division(a.y % b, a.x, b), a.y / b); }

/// How many bits a has.
fn length64(a: vec2u) -> u32 {
  if (a.y > 0u) { return 64u - countLeadingZeros(a.y); }
  return 32u - countLeadingZeros(a.x);
}

/// round(a / 2^bits) for bits < 64, where it fits a u32.
fn rounded64(a: vec2u, bits: u32) -> u32 {
  if (bits == 0u) { return a.x; }
  let half = bits - 1u;
  let sum = add64(a, vec2u(select(0u, 1u << (half % 32u), half < 32u), select(0u, 1u << (half % 32u), half >= 32u)));
  if (bits >= 32u) { return sum.y >> (bits - 32u); }
  return (sum.x >> bits) | (sum.y << (32u - bits));
}
