// offsets: how many tokens of each expert come before each chunk of ids: an exclusive prefix sum over the chunks, in place.
//
//   chunk_counts[l, c, e] <- before[l, e] + sum_{c' < c} chunk_counts[l, c', e]
//
// Shapes    chunk_counts: [L, C, E] u32.   before: [L, E] u32, tokens that other ranks have before this one's; 0 for one rank.
// Bindings  group 0:  0 before   1 chunk_counts (in and out)   2 params.
// Launch    one (layer, expert) per invocation, WG per workgroup; grid [ceil(E / WG), L, 1]. No barriers.
// Twin      src/balancer/twins/offsets.ts, compared in test/balancer/kernels/offsets.test.ts.
override WG: u32;

@group(0) @binding(0) var<storage, read> before: array<u32>;
@group(0) @binding(1) var<storage, read_write> chunk_counts: array<u32>;
@group(0) @binding(2) var<uniform> params: BalanceParams;

@compute @workgroup_size(WG)
fn offsets(@builtin(global_invocation_id) id: vec3u) {
  let e = id.x;
  let layer = id.y;
  if (e >= params.experts) { return; }
  var sum = before[layer * params.experts + e];
  for (var chunk = 0u; chunk < params.chunks; chunk++) {
    let i = (layer * params.chunks + chunk) * params.experts + e;
    let here = chunk_counts[i];
    chunk_counts[i] = sum;
    sum += here;
  }
}
