// time_imbalance: when each GPU is done under given quotas, where a curve c says what the tokens in a slot cost, and per layer how far from even that is.
//
//   time_g = (base_g + sum over GPU g's slots of c(quota)) / v_g      imbalance = max / mean
//
// Dead GPUs are out of it: their slots have no quota, their time is 0. A layer in which no GPU has anything to do has imbalance 1.
//
// Shapes    placement: records as in balance.wgsl.   quota: [L, P] u32.   base: [L, G] f32.   rate: [G] f32, 1 / v_g.   curve: as
//           src/lp/kernels/cost_table.ts writes it.   time: [L, G] f32.   metrics: [L, 2] f32: max, imbalance.   skip: [L] u32, 1 where
//           imbalance < skip_below.
// Bindings  group 0:  0 placement   1 quota   2 base   3 rate   4 curve   5 time (out)   6 metrics (out)   7 skip (out)   8 params.
// Launch    one layer per workgroup of WG; grid [L, 1, 1]. 2 words of workgroup memory per invocation. log2(WG) + 1 barriers.
// Twin      src/balancer/twins/time_imbalance.ts (f64), compared in test/balancer/kernels/time_imbalance.test.ts.
override WG: u32;  // a power of two

@group(0) @binding(0) var<storage, read> placement: array<u32>;
@group(0) @binding(1) var<storage, read> quota: array<u32>;
@group(0) @binding(2) var<storage, read> base: array<f32>;
@group(0) @binding(3) var<storage, read> rate: array<f32>;
@group(0) @binding(4) var<storage, read> curve: array<u32>;
@group(0) @binding(5) var<storage, read_write> time: array<f32>;
@group(0) @binding(6) var<storage, read_write> metrics: array<f32>;
@group(0) @binding(7) var<storage, read_write> skip: array<u32>;
@group(0) @binding(8) var<uniform> params: BalanceParams;

const TWO_32 = 4294967296.0;

var<workgroup> wg_last: array<f32, WG>;
var<workgroup> wg_sum: array<f32, WG>;

/// c(x) in the caller's time.
fn cost_of(x: u32) -> f32 {
  let whole = table_cost(x);
  let value = f32(whole.y) * TWO_32 + f32(whole.x);
  return ldexp(value / bitcast<f32>(curve[CURVE_MANTISSA]), -bitcast<i32>(curve[CURVE_EXPONENT]));
}

@compute @workgroup_size(WG)
fn time_imbalance(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let layer = wg.x;
  let first_slots = first_slots_of(layer);
  var last = 0.0;
  var sum = 0.0;
  for (var g = lane; g < params.gpus; g += WG) {
    let first_slot = placement[first_slots + g];
    if (first_slot >= DEAD) {
      time[layer * params.gpus + g] = 0.0;
      continue;
    }
    let end = placement[first_slots + g + 1u] & ~DEAD;
    var busy = base[layer * params.gpus + g];
    for (var slot = first_slot; slot < end; slot++) { busy += cost_of(quota[layer * params.slots + slot]); }
    busy *= rate[g];
    time[layer * params.gpus + g] = busy;
    last = max(last, busy);
    sum += busy;
  }
  wg_last[lane] = last;
  wg_sum[lane] = sum;
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      wg_last[lane] = max(wg_last[lane], wg_last[lane + half]);
      wg_sum[lane] += wg_sum[lane + half];
    }
    workgroupBarrier();
  }

  if (lane != 0u) { return; }  // after the last barrier
  let mean = wg_sum[0] / f32(placement[first_slots + params.gpus + 1u]);
  let imbalance = select(1.0, wg_last[0] / mean, mean > 0.0);
  metrics[2u * layer] = wg_last[0];
  metrics[2u * layer + 1u] = imbalance;
  skip[layer] = select(0u, 1u, imbalance < params.skip_below);
}
