// edge_balance: repeated pairwise equalising along replica edges, one LP per invocation.
//
//   for each pair of replicas of one expert, on GPUs i and j:   move clamp((load_i - load_j) / 2, -x_j, x_i) tokens from i to j
//
// In sweeps over all pairs until the largest move of a sweep is at most TOLERANCE. Feasible at any time; coordinate descent on the sum of
// squared loads, whose least value has the least max load. The method of LPLB's pull request 9, where a warp moves along all edges of one
// colour at once; a lane walks them colour by colour, which gives the same moves.
//
// Shapes    pairs: [layers, stride] u32 records: how many, then four words each: GPUs i and j, replicas i and j. LP p uses record p % layers.
//           start: [B, G] f32 loads under the even split, in mean loads.   even: [B, MAX_REPLICAS] f32 the even split, where it starts.
//           x (out): [B, MAX_REPLICAS] f32.
// Bindings  group 0:  0 pairs   1 start   2 even   3 x (out)   4 params.
// Launch    WG invocations per workgroup; grid [gx, gy, 1] folded so that gx * gy * WG >= B. No barriers, no workgroup memory.
// Private   4 MAX_GPUS + 4 MAX_REPLICAS bytes per lane.
// Declared by bench/baselines/edge_balance.ts: MAX_GPUS, MAX_REPLICAS, MAX_SWEEPS.
// Twin      balanceEdges in bench/baselines/edge_balance.ts (f64), compared in test/bench/edge_balance.test.ts.
override WG: u32;
override TOLERANCE: f32;  // in mean loads

struct Params {
  batch: u32,   // B
  layers: u32,  // records in `pairs`
  stride: u32,  // words of a record
}

@group(0) @binding(0) var<storage, read> pairs: array<u32>;
@group(0) @binding(1) var<storage, read> start: array<f32>;
@group(0) @binding(2) var<storage, read> even: array<f32>;
@group(0) @binding(3) var<storage, read_write> x_out: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

var<private> load: array<f32, MAX_GPUS>;
var<private> x: array<f32, MAX_REPLICAS>;

@compute @workgroup_size(WG)
fn edge_balance(
  @builtin(workgroup_id) wg: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = (wg.y * grid.x + wg.x) * WG + lane;
  if (p >= params.batch) { return; }
  let record = (p % params.layers) * params.stride;
  let end = record + 1u + 4u * pairs[record];

  for (var g = 0u; g < MAX_GPUS; g++) { load[g] = start[p * MAX_GPUS + g]; }
  for (var r = 0u; r < MAX_REPLICAS; r++) { x[r] = even[p * MAX_REPLICAS + r]; }
  for (var sweep = 0u; sweep < MAX_SWEEPS; sweep++) {
    var largest = 0.0;
    for (var at = record + 1u; at < end; at += 4u) {
      let i = pairs[at];
      let j = pairs[at + 1u];
      let giver = pairs[at + 2u];
      let taker = pairs[at + 3u];
      let moved = clamp(0.5 * (load[i] - load[j]), -x[taker], x[giver]);
      x[giver] -= moved;
      x[taker] += moved;
      load[i] -= moved;
      load[j] += moved;
      largest = max(largest, abs(moved));
    }
    if (largest <= TOLERANCE) { break; }
  }
  for (var r = 0u; r < MAX_REPLICAS; r++) { x_out[p * MAX_REPLICAS + r] = x[r]; }
}
