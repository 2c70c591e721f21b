// shares: quotas as fractions of each expert's tokens, the form that SGLang's and vLLM's dispatch takes.
//
//   share_of[l, e, i] = quota[l, slot i of e] / counts[l, e];   1 / (slots of e) where e has no tokens;   0 for padding and dead slots
//
// Slots are in ascending order, dead ones among them.
//
// Shapes    counts: [L, E] u32.   quota: [L, P] u32.   share_of: [L, E, X] f32.
// Bindings  group 0:  0 placement   1 counts   2 quota   3 share_of (out)   4 params.
// Launch    one (layer, expert) per invocation, WG per workgroup; grid [ceil(E / WG), L, 1]. No barriers.
// Twin      src/balancer/twins/shares.ts, compared in test/balancer/kernels/shares.test.ts.
override WG: u32;

@group(0) @binding(0) var<storage, read> placement: array<u32>;
@group(0) @binding(1) var<storage, read> counts: array<u32>;
@group(0) @binding(2) var<storage, read> quota: array<u32>;
@group(0) @binding(3) var<storage, read_write> share_of: array<f32>;
@group(0) @binding(4) var<uniform> params: BalanceParams;

@compute @workgroup_size(WG)
fn shares(@builtin(global_invocation_id) id: vec3u) {
  let e = id.x;
  let layer = id.y;
  if (e >= params.experts) { return; }
  let record = record_of(layer);
  let slots = placement[record + e];
  let tokens = counts[layer * params.experts + e];
  let first = record + params.experts + e * params.replicas;
  let shares = (layer * params.experts + e) * params.replicas;
  for (var i = slots; i < params.replicas; i++) { share_of[shares + i] = 0.0; }
  var dead = slots;  // the next dead slot of the row
  for (var i = 0u; i < slots; i++) {
    let slot = placement[first + i];
    while (dead < params.replicas && placement[first + dead] < slot) {  // not -1
      share_of[shares + i + dead - slots] = 0.0;
      dead++;
    }
    let share = select(f32(quota[layer * params.slots + slot]) / f32(max(tokens, 1u)), 1.0 / f32(slots), tokens == 0u);
    share_of[shares + i + dead - slots] = share;
  }
}
