// totals: what the lanes of a group add up and compare at once, by workgroup_reduce.wgsl or subgroup_reduce.wgsl.
//
// Declares  Totals, Counts, LEAST.
// Barriers  none.

const LEAST = -1e30;  // identity of a maximum

struct Totals {
  sums: vec4f,
  tops: vec4f,  // maxima
}

struct Counts {
  sums: vec2u,  // modulo 2^32
  most: vec2u,  // maximum, u64 (lo, hi)
}
