// caps: how many tokens each GPU may hold so that none is later than the last one is now.
//
//   cap[l, g] = floor(t / pace_g) - base_g,   t = max_g load_g pace_g over living GPUs        0 on dead ones
//
// Shapes    load: [L, G] u32, base loads included.   base: [L, G] i32.   pace: [G] u32, the time of a token, 1 to 2^31 - 1.   cap: [L, G] i32.
// Bindings  group 0:  0 placement   1 load   2 base   3 pace   4 cap (out)   5 params.
// Launch    one layer per invocation, WG per workgroup; grid [ceil(L / WG), 1, 1]. No barriers.
// Requires  loads below 2^31.
// Twin      src/balancer/twins/caps.ts, compared in test/balancer/kernels/caps.test.ts.
override WG: u32;

@group(0) @binding(0) var<storage, read> placement: array<u32>;
@group(0) @binding(1) var<storage, read> load: array<u32>;
@group(0) @binding(2) var<storage, read> base: array<i32>;
@group(0) @binding(3) var<storage, read> pace: array<u32>;
@group(0) @binding(4) var<storage, read_write> cap: array<i32>;
@group(0) @binding(5) var<uniform> params: BalanceParams;

fn is_dead(layer: u32, g: u32) -> bool { return (placement[first_slots_of(layer) + g] & DEAD) != 0u; }

@compute @workgroup_size(WG)
fn caps(@builtin(global_invocation_id) id: vec3u) {
  let layer = id.x;
  if (layer >= params.layers) { return; }
  let row = layer * params.gpus;
  var last = vec2u(0u);
  for (var g = 0u; g < params.gpus; g++) {
    if (!is_dead(layer, g)) { last = larger64(last, multiply64(load[row + g], pace[g])); }
  }
  for (var g = 0u; g < params.gpus; g++) {
    var tokens = 0;
    if (!is_dead(layer, g)) { tokens = i32(divide64(last, pace[g])) - base[row + g]; }
    cap[row + g] = tokens;
  }
}
