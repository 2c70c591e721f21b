// threshold: binary search on the max load, the excess spilling over to other replicas in whole tokens, one LP per invocation.
//
//   fits(T):  from the even split, replicas in turn: what GPU i has above T spills to the expert's replicas on GPUs with room below T
//   T between what must be (low) and the even split (high) is halved until high - low <= EPSILON high; the last T that fitted is the answer
//
// After the quota planner of UltraEP, which chooses the replicas as well; here they are given, and tokens move one hop: never through a
// third GPU. So the search ends at the least T that one hop reaches, which need not be the least there is.
//
// Shapes    topology: [layers, stride] u32 records: experts, then their first replica [MAX_EXPERTS + 1], then the GPU of each replica
//           [MAX_REPLICAS]. Only experts with a choice; LP p uses record p % layers.
//           tokens: [B, MAX_EXPERTS] i32.   fixed: [B, MAX_GPUS] i32 what cannot move.   quota (out): [B, MAX_REPLICAS] i32.
// Bindings  group 0:  0 topology   1 tokens   2 fixed   3 quota (out)   4 params.
// Launch    WG invocations per workgroup; grid [gx, gy, 1] folded so that gx * gy * WG >= B. No barriers, no workgroup memory.
// Private   8 MAX_GPUS + 12 MAX_REPLICAS bytes per lane.
// Declared by bench/baselines/threshold.ts: MAX_GPUS, MAX_EXPERTS, MAX_REPLICAS.
// Twin      searchThreshold in bench/baselines/threshold.ts, the same to the token, compared in test/bench/threshold.test.ts.
override WG: u32;
override EPSILON: f32;

struct Params {
  batch: u32,   // B
  layers: u32,  // records in `topology`
  stride: u32,  // words of a record
}

@group(0) @binding(0) var<storage, read> topology: array<u32>;
@group(0) @binding(1) var<storage, read> tokens: array<i32>;
@group(0) @binding(2) var<storage, read> fixed: array<i32>;
@group(0) @binding(3) var<storage, read_write> quota: array<i32>;
@group(0) @binding(4) var<uniform> params: Params;

var<private> record: u32;
var<private> experts: u32;
var<private> even: array<i32, MAX_REPLICAS>;     // the even split,
var<private> even_load: array<i32, MAX_GPUS>;    // its loads,
var<private> x: array<i32, MAX_REPLICAS>;        // the split at hand,
var<private> load: array<i32, MAX_GPUS>;         // its loads,
var<private> best: array<i32, MAX_REPLICAS>;     // and the last that fitted

fn start_of(e: u32) -> u32 { return topology[record + 1u + e]; }
fn gpu_of(r: u32) -> u32 { return topology[record + 2u + MAX_EXPERTS + r]; }

/// Whether no GPU is above T once all have spilled; x is the split.
fn fits(T: i32) -> bool {
  x = even;
  load = even_load;
  for (var e = 0u; e < experts; e++) {
    let first = start_of(e);
    let end = start_of(e + 1u);
    for (var r = first; r < end; r++) {
      let i = gpu_of(r);
      for (var k = first; k < end && load[i] > T; k++) {
        let j = gpu_of(k);
        let spilled = max(0, min(min(load[i] - T, T - load[j]), x[r]));
        x[r] -= spilled;
        x[k] += spilled;
        load[i] -= spilled;
        load[j] += spilled;
      }
    }
  }
  return max_of(load) <= T;
}

fn max_of(loads: array<i32, MAX_GPUS>) -> i32 {
  var copy = loads;  // WGSL indexes no value dynamically
  var most = copy[0];
  for (var g = 1u; g < MAX_GPUS; g++) { most = max(most, copy[g]); }
  return most;
}

@compute @workgroup_size(WG)
fn threshold(
  @builtin(workgroup_id) wg: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = (wg.y * grid.x + wg.x) * WG + lane;
  if (p >= params.batch) { return; }
  record = (p % params.layers) * params.stride;
  experts = topology[record];

  var total = 0;
  for (var g = 0u; g < MAX_GPUS; g++) {
    even_load[g] = fixed[p * MAX_GPUS + g];
    total += even_load[g];
  }
  var low = max_of(even_load);
  for (var e = 0u; e < experts; e++) {
    let first = start_of(e);
    let count = i32(start_of(e + 1u) - first);
    let weight = tokens[p * MAX_EXPERTS + e];
    total += weight;
    for (var k = 0; k < count; k++) {
      let r = first + u32(k);
      even[r] = weight / count + select(0, 1, k < weight % count);
      even_load[gpu_of(r)] += even[r];
    }
  }
  low = max(low, total / i32(MAX_GPUS)) - 1;  // one less than what may fit
  var high = max_of(even_load);
  best = even;
  while (high - low > max(1, i32(EPSILON * f32(high)))) {
    let middle = low + (high - low) / 2;
    if (fits(middle)) {
      high = middle;
      best = x;
    } else {
      low = middle;
    }
  }
  for (var r = 0u; r < MAX_REPLICAS; r++) { quota[p * MAX_REPLICAS + r] = best[r]; }
}
