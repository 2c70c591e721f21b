// source_starts: how many tokens of each expert earlier sources have, and how many there are in all.
//
//   start[l, s, e] = sum_{s' < s} by_source[l, s', e]      counts[l, e] = sum_s by_source[l, s, e]
//
// Shapes    by_source, start: [L, S, E] u32.   counts: [L, E] u32.
// Bindings  group 0:  0 by_source   1 start (out)   2 counts (out)   3 params.
// Launch    one (layer, expert) per invocation, WG per workgroup; grid [ceil(E / WG), L, 1]. No barriers.
// Twin      src/balancer/twins/source_starts.ts, compared in test/balancer/kernels/source_starts.test.ts.
override WG: u32;

@group(0) @binding(0) var<storage, read> by_source: array<u32>;
@group(0) @binding(1) var<storage, read_write> start: array<u32>;
@group(0) @binding(2) var<storage, read_write> counts: array<u32>;
@group(0) @binding(3) var<uniform> params: BalanceParams;

@compute @workgroup_size(WG)
fn source_starts(@builtin(global_invocation_id) id: vec3u) {
  let e = id.x;
  let layer = id.y;
  if (e >= params.experts) { return; }
  var sum = 0u;
  for (var s = 0u; s < params.sources; s++) {
    let i = (layer * params.sources + s) * params.experts + e;
    start[i] = sum;
    sum += by_source[i];
  }
  counts[layer * params.experts + e] = sum;
}
