// imbalance: load and active experts per GPU under given quotas, and per layer how far from even they are.
//
//   load_g = base_g + sum of the quotas of GPU g's slots   busy_g = how many of those quotas are not 0
//   imbalance = max / mean   balancedness = mean / max   idle = sum_g (max - load_g)   variation = sqrt(mean((load_g - mean)^2)) / mean
//
// Loads are tokens, whatever the GPUs' speeds. Dead GPUs are out of it: their slots have no quota, and their base loads are not read. Integers are exact.
// A layer without load has imbalance and balancedness 1, idle and variation 0.
//
// Shapes    placement: records as in balance.wgsl.   quota: [L, P] u32.   base, gpu_load, busy: [L, G] u32.   skip: [L] u32, 1
//           where imbalance < skip_below.   metrics: [L, 9] u32: max, sum, hottest GPU (the first of equals), most active experts, idle as two
//           words (lo, hi), and imbalance, balancedness, variation as f32 bits.
// Bindings  group 0:  0 placement   1 quota   2 base   3 gpu_load (out)   4 busy (out)   5 metrics (out)   6 skip (out)   7 params.
// Launch    one layer per workgroup of WG; grid [L, 1, 1]. 7 words of workgroup memory per invocation. 2 log2(WG) + 4 barriers, the two
//           inside workgroupUniformLoad included.
// Requires  a layer's sum below 2^32, and for variation every load within 2^31 of the mean: both hold of sums below 2^31, which callers
//           check for counts of theirs.
// Twin      src/balancer/twins/imbalance.ts (f64), compared in test/balancer/kernels/imbalance.test.ts.
override WG: u32;  // a power of two

@group(0) @binding(0) var<storage, read> placement: array<u32>;
@group(0) @binding(1) var<storage, read> quota: array<u32>;
@group(0) @binding(2) var<storage, read> base: array<u32>;
@group(0) @binding(3) var<storage, read_write> gpu_load: array<u32>;
@group(0) @binding(4) var<storage, read_write> busy: array<u32>;
@group(0) @binding(5) var<storage, read_write> metrics: array<u32>;
@group(0) @binding(6) var<storage, read_write> skip: array<u32>;
@group(0) @binding(7) var<uniform> params: BalanceParams;

const METRICS = 9u;

struct Summary {
  most: u32,     // load of the hottest GPU,
  hottest: u32,  // and which that is
  sum: u32,
  busy: u32,     // most active experts of a GPU
}

var<workgroup> wg_summary: array<Summary, WG>;
var<workgroup> wg_idle: array<vec2u, WG>;    // sum of max - load, 64 bits
var<workgroup> wg_squares: array<f32, WG>;   // sum of (load - mean)^2

fn merge(a: Summary, b: Summary) -> Summary {
  var hotter = a;
  if (b.most > a.most || (b.most == a.most && b.hottest < a.hottest)) { hotter = b; }
  return Summary(hotter.most, hotter.hottest, a.sum + b.sum, max(a.busy, b.busy));
}

@compute @workgroup_size(WG)
fn imbalance(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let layer = wg.x;
  let first_slots = first_slots_of(layer);
  var mine = Summary(0u, NO_EXPERT, 0u, 0u);
  for (var g = lane; g < params.gpus; g += WG) {
    var tokens = 0u;
    var with_tokens = 0u;
    let first_slot = placement[first_slots + g];
    let end = placement[first_slots + g + 1u] & ~DEAD;
    for (var slot = first_slot & ~DEAD; slot < end; slot++) {
      let here = quota[layer * params.slots + slot];
      tokens += here;
      with_tokens += select(0u, 1u, here > 0u);
    }
    if (first_slot < DEAD) { tokens += base[layer * params.gpus + g]; }
    gpu_load[layer * params.gpus + g] = tokens;
    busy[layer * params.gpus + g] = with_tokens;
    if (first_slot < DEAD) { mine = merge(mine, Summary(tokens, g, tokens, with_tokens)); }
  }
  wg_summary[lane] = mine;
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    if (lane < half) { wg_summary[lane] = merge(wg_summary[lane], wg_summary[lane + half]); }
    workgroupBarrier();
  }

  // Deviations from the whole part of the mean are exact; its fraction is below 1.
  let total = workgroupUniformLoad(&wg_summary[0]);
  let living = placement[first_slots + params.gpus + 1u];
  let whole_mean = total.sum / living;
  let fraction = f32(total.sum % living) / f32(living);
  var idle = vec2u(0u);
  var squares = 0.0;
  for (var g = lane; g < params.gpus; g += WG) {
    if (placement[first_slots + g] >= DEAD) { continue; }
    let tokens = gpu_load[layer * params.gpus + g];
    idle = add64(idle, vec2u(total.most - tokens, 0u));
    let deviation = f32(i32(tokens) - i32(whole_mean)) - fraction;
    squares += deviation * deviation;
  }
  wg_idle[lane] = idle;
  wg_squares[lane] = squares;
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      wg_idle[lane] = add64(wg_idle[lane], wg_idle[lane + half]);
      wg_squares[lane] += wg_squares[lane + half];
    }
    workgroupBarrier();
  }

  if (lane != 0u) { return; }  // after the last barrier
  let mean = f32(whole_mean) + fraction;
  let none = total.sum == 0u;
  let ratio = select(f32(total.most) / mean, 1.0, none);
  let first = layer * METRICS;
  metrics[first] = total.most;
  metrics[first + 1u] = total.sum;
  metrics[first + 2u] = total.hottest;
  metrics[first + 3u] = total.busy;
  metrics[first + 4u] = wg_idle[0].x;
  metrics[first + 5u] = wg_idle[0].y;
  metrics[first + 6u] = bitcast<u32>(ratio);
  metrics[first + 7u] = bitcast<u32>(select(mean / f32(max(total.most, 1u)), 1.0, none));
  metrics[first + 8u] = bitcast<u32>(select(sqrt(wg_squares[0] / f32(living)) / mean, 0.0, none));
  skip[layer] = select(0u, 1u, ratio < params.skip_below);
}
