// apportion: whole tokens in given proportions: each expert's tokens to its slots by weight, their sum kept.
//
//   quota_i = floor(w W_i / W) - floor(w W_{i-1} / W),   W_i = weight_1 + ... + weight_i over the slots of the expert, W their sum
//
// Rounding the running sums leaves every slot within one token of its due. Equal weights, or none at all, make an even split; the
// quotas of an earlier batch as weights carry its solution over to this one.
//
// Shapes    counts: [L, E] u32.   weights: [L, P] u32, each expert's summing to less than 2^31; EVEN: not read.   quota: [L, P] u32.
// Bindings  group 0:  0 placement   1 counts   2 weights   3 quota (out)   4 params.
// Launch    one (layer, expert) per invocation, WG per workgroup; grid [ceil(E / WG), L, 1]. No barriers.
// Twin      src/balancer/twins/apportion.ts, compared in test/balancer/kernels/apportion.test.ts.
override EVEN: bool;
override WG: u32;

@group(0) @binding(0) var<storage, read> placement: array<u32>;
@group(0) @binding(1) var<storage, read> counts: array<u32>;
@group(0) @binding(2) var<storage, read> weights: array<u32>;
@group(0) @binding(3) var<storage, read_write> quota: array<u32>;
@group(0) @binding(4) var<uniform> params: BalanceParams;

@compute @workgroup_size(WG)
fn apportion(@builtin(global_invocation_id) id: vec3u) {
  let e = id.x;
  let layer = id.y;
  if (e >= params.experts) { return; }
  let record = record_of(layer);
  let slots = placement[record + e];
  let first = record + params.experts + e * params.replicas;
  let tokens = counts[layer * params.experts + e];

  var total = 0u;
  if (!EVEN) {
    for (var i = 0u; i < slots; i++) { total += weights[layer * params.slots + placement[first + i]]; }
  }
  let even = total == 0u;
  if (even) { total = slots; }
  var running = 0u;
  var given = 0u;
  for (var i = 0u; i < slots; i++) {
    let slot = layer * params.slots + placement[first + i];
    if (even) { running += 1u; } else { running += weights[slot]; }
    let due = divide64(multiply64(tokens, running), total);
    quota[slot] = due - given;
    given = due;
  }
}
