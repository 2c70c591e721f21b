// replay: serves a trace's requests in each scenario, from its first arrival to its last finish, as src/serving/simulator does.
//
//   at each time at which something happens: first steps end, then requests come, then the router sends them, then workers let them in and begin their next steps
//
// Shapes    requests: [n] vec4u, input, output, class and 0.   arrivals: [A, n] ticks as u64 (lo, hi), ascending.   estimates: [K, n] u32 tokens.
//           scenarios: [B] Scenario.   state: [B, stride] u32, zeroed before the first dispatch; see replay_state.wgsl.   outcome: [B, COUNT_WORDS + 2 BINS] u32,
//           zeroed, too: counts in two words each, then how many times to the first token, and per token after it, fall in each bin.   progress: [2] u32, zeroed
//           before every dispatch: scenarios that want another, and the 256ths of their requests that have come.
// Bindings  group 0:  0 requests   1 arrivals   2 estimates   3 scenarios   4 state (out)   5 outcome (out)   6 progress (out)   7 params.
// Launch    one scenario per invocation; grid [gx, gy, 1] folded so that gx * gy * WG >= B. No barriers.
// Requires  what a step takes below 2^31 ticks, M and prompts below 2^30, sums of all prompts and outputs below 2^31.
// Twin      src/serving/twins/replay.ts (f64 that hold whole numbers), compared in test/serving/kernels/replay.test.ts.
override WG: u32;

@group(0) @binding(0) var<storage, read> requests: array<vec4u>;
@group(0) @binding(1) var<storage, read> arrivals: array<vec2u>;
@group(0) @binding(2) var<storage, read> estimates: array<u32>;
@group(0) @binding(3) var<storage, read> scenarios: array<Scenario>;
@group(0) @binding(4) var<storage, read_write> state: array<u32>;
@group(0) @binding(5) var<storage, read_write> outcome: array<u32>;
@group(0) @binding(6) var<storage, read_write> progress: array<atomic<u32>, 2>;
@group(0) @binding(7) var<uniform> params: ReplayParams;

fn arrival_of(id: u32) -> vec2u { return arrivals[scenario.arrivals * params.requests + id]; }

fn begin_scenario() {
  own.begun = 1u;
  own.first = NONE;
  own.last = NONE;
  for (var g = 0u; g < scenario.workers; g++) {
    let w = worker_at(g);
    for (var word = W_FIRST; word <= W_TOP; word++) { state[w + word] = NONE; }
    set_pair(w + W_END, NEVER);
    set_pair(w + W_STEP_END, NEVER);
  }
}

fn next_event() -> vec2u {
  var least = NEVER;
  let come = own.come;
  if (come < params.requests) { least = arrival_of(come); }
  for (var g = 0u; g < scenario.workers; g++) {
    let end = pair(worker_at(g) + W_END);
    if (less64(end, least)) { least = end; }
  }
  work += scenario.workers;
  return least;
}

// Workers are searched first and then attended to, so that lanes whose workers have nothing to do now wait for a short search alone.

/// The first worker from g on with a step that has ended by now and is not counted yet.
fn next_behind(from_g: u32, now: vec2u) -> u32 {
  var g = from_g;
  while (g < scenario.workers && less64(now, pair(worker_at(g) + W_STEP_END))) { g++; }
  return g;
}

/// The first worker from g on in a state that ends by now.
fn next_due(from_g: u32, due: u32, now: vec2u) -> u32 {
  var g = from_g;
  while (g < scenario.workers) {
    let w = worker_at(g);
    if (state[w + W_STATE] == due && !less64(now, pair(w + W_END))) { break; }
    g++;
  }
  return g;
}

fn happen(now: vec2u) {
  starts = false;
  for (var g = next_behind(0u, now); g < scenario.workers; g = next_behind(g + 1u, now)) { catch_up(worker_at(g), now); }
  for (var g = next_due(0u, STEPPING, now); g < scenario.workers; g = next_due(g + 1u, STEPPING, now)) {
    finish_steps(worker_at(g), now);
  }
  var come = own.come;
  while (come < params.requests && !less64(now, arrival_of(min(come, params.requests - 1u)))) {
    route(come, now);
    come++;
  }
  own.come = come;
  while (own.ask == 1u && own.first != NONE) { fill(now); }
  for (var g = next_due(0u, WOKEN, now); g < scenario.workers; g = next_due(g + 1u, WOKEN, now)) {
    let w = worker_at(g);
    prepare(w, now);
    if (state[w + W_RUNNING] > 0u) {
      plan_steps(w, now);
    } else {
      state[w + W_STATE] = IDLE;
      set_pair(w + W_END, NEVER);
    }
  }
  if (starts) { mark_span(now); }
}

/// What had added up by the last start so far.
fn mark_span(now: vec2u) {
  counts[C_SPAN] = now;
  counts[C_SPAN + 1u] = counts[C_SERVED];
  counts[C_SPAN + 2u] = counts[C_GOOD];
  counts[C_SPAN + 3u] = counts[C_TOKENS];
  counts[C_SPAN + 4u] = add64(counts[C_BUSY], product(now, vec2u(own.stepping, 0u)));
}

@compute @workgroup_size(WG)
fn replay(
  @builtin(workgroup_id) wg: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (wg.y * grid.x + wg.x) * WG + lane;
  if (index >= params.scenarios) { return; }
  enter(index);
  if (own.begun == 0u) { begin_scenario(); }
  while (work < params.budget) {
    let now = next_event();
    if (all(now == NEVER)) {
      leave();
      return;
    }
    happen(now);
  }
  leave();
  atomicAdd(&progress[0], 1u);
  atomicAdd(&progress[1], u32(256.0 * f32(own.come) / f32(params.requests)));
}
