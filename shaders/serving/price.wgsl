// price: the cheapest start of each request at given prices of KV memory and slots, and what all of them then hold.
//
//   k_i = the first minimiser over k = a_i .. max(a_i, T) of   k - a_i + sum_{t = k+1 .. min(k + o_i, T)} ((s_i + t - k) v_t + w_t)
//   held_t = sum over i that run in round t of (s_i + t - k_i),  as second differences      [Jaillet et al. 2025, the dual of their program]
//
// Shapes    requests: [n] vec4u, a, s, o and 0, whole.   prices: [T + 2] vec2f, v_t and w_t >= 0; round 0 is of no meaning, the last one's 0.
//           start: [n] u32.   change: [2 (T + 2)] u32, zeroed by the caller: by s - k and by 1 more at k + 1, by as much less after the last
//           round; modulo 2^32, so that held_t is right wherever it is below 2^32.
// Bindings  group 0:  0 requests   1 prices   2 start (out)   3 change (out)   4 params.
// Launch    one invocation per request; grid [gx, gy, 1] folded so that gx * gy * WG >= n. No barriers.
// Requires  a + o < 2^31, T + 1 < 2^31.
// Twin      src/serving/twins/price.ts (f64), compared in test/serving/kernels/price.test.ts.
override WG: u32;

// Starts between two sums from anew: sliding adds an error of f32 per start, which the sums' differences would keep.
const ANCHOR = 1024u;

struct PriceParams {
  requests: u32,  // n
  horizon: u32,   // T
}

@group(0) @binding(0) var<storage, read> requests: array<vec4u>;
@group(0) @binding(1) var<storage, read> prices: array<vec2f>;
@group(0) @binding(2) var<storage, read_write> start: array<u32>;
@group(0) @binding(3) var<storage, read_write> change: array<atomic<u32>>;
@group(0) @binding(4) var<uniform> params: PriceParams;

// What a start at k pays: sums over its rounds of v_t, and of (t - k) v_t + w_t. Positive terms only: nothing cancels, as differences of sums from
// round 1 on would in f32.
fn window_at(k: u32, o: u32) -> vec2f {
  var held = 0.0;
  var grown = 0.0;
  let end = min(k + o, params.horizon);
  for (var t = k + 1u; t <= end; t++) {
    let p = prices[t];
    held += p.x;
    grown += f32(t - k) * p.x + p.y;
  }
  return vec2f(held, grown);
}

fn cheapest_start(a: u32, s: u32, o: u32) -> u32 {
  let last = max(a, params.horizon);
  let free = params.horizon + 1u;
  let rounds = f32(o);
  let prompt = f32(s);
  var best = a;
  var window = window_at(a, o);
  var held = window.x;
  var grown = window.y;
  var least = prompt * held + grown;
  // No later start than one that waits as long as the best costs can be better.
  var k = a + 1u;
  var waited = 1.0;
  while (k <= last && waited < least) {
    if ((k - a) % ANCHOR == 0u) {
      window = window_at(k, o);
      held = window.x;
      grown = window.y;
    } else {
      // The window slides by a round: one price leaves, one enters.
      let first = prices[min(k, free)];
      let next = prices[min(k + o, free)];
      grown += rounds * next.x - held + next.y - first.y;
      held += next.x - first.x;
    }
    let cost = waited + prompt * held + grown;
    best = select(best, k, cost < least);
    least = min(least, cost);
    k++;
    waited += 1.0;
  }
  return best;
}

@compute @workgroup_size(WG)
fn price(
  @builtin(workgroup_id) wg: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wg.y * grid.x + wg.x) * WG + lane;
  if (i >= params.requests) { return; }
  let a = requests[i].x;
  let s = requests[i].y;
  let o = requests[i].z;
  let k = cheapest_start(a, s, o);
  start[i] = k;
  if (k >= params.horizon) { return; }  // it holds nothing that has a price
  let after = min(k + o, params.horizon) + 1u;
  atomicAdd(&change[2u * (k + 1u)], s - k);
  atomicAdd(&change[2u * (k + 1u) + 1u], 1u);
  atomicSub(&change[2u * after], s - k);
  atomicSub(&change[2u * after + 1u], 1u);
}
