// replay_router: which worker a request is sent to.
//
// Declares  route(), fill().
// Needs     params, state of replay.wgsl; scenario, own, work, worker_at(), field(), set_field(), input_of(), NONE, LEAST_KV, BFIO, W_..., R_... of
//           replay_state.wgsl; wait_at() of replay_admission.wgsl; wake() of replay_steps.wgsl; less64(), multiply64() of u64.wgsl.
// Barriers  none.

// Of the requests that wait, BF-IO looks at the earliest so many.
const WINDOW = 1024u;

/// A request comes: it is sent to a worker, or waits here with BF-IO.
fn route(id: u32, now: vec2u) {
  if (scenario.routing == BFIO) {
    let last = own.last;
    set_field(id, R_NEXT, NONE);
    set_field(id, R_PREVIOUS, last);
    if (last == NONE) { own.first = id; } else { set_field(last, R_NEXT, id); }
    own.last = id;
    own.ask = 1u;
    return;
  }
  var g = own.next_worker;
  if (scenario.routing == LEAST_KV) { g = least_loaded(false); } else { own.next_worker = (g + 1u) % scenario.workers; }
  send(id, g, now);
}

fn send(id: u32, g: u32, now: vec2u) {
  let sent = own.sent;
  set_field(id, R_TURN, sent);
  own.sent = sent + 1u;
  wait_at(worker_at(g), id, false);
  wake(worker_at(g), now);
}

/// KV tokens of those that run and wait there.
fn load_of(g: u32) -> u32 {
  let w = worker_at(g);
  return state[w + W_HELD] + state[w + W_WAITING_TOKENS];
}

/// Of all, or of those with room; NONE if none has any.
fn least_loaded(with_room: bool) -> u32 {
  var best = NONE;
  var least = 0u;
  for (var g = 0u; g < scenario.workers; g++) {
    if (with_room && bitcast<i32>(state[worker_at(g) + W_ROOM]) <= 0) { continue; }
    let load = load_of(g);
    if (best != NONE && load >= least) { continue; }
    best = g;
    least = load;
  }
  work += scenario.workers;
  return best;
}

/// BF-IO at H = 0, a request at a time: the least loaded of the workers with a free slot takes, of those that wait and fit there, the one with the largest
///
///   F(s) = s - G max(0, s - m),   m = the largest load of the others - its own
///
/// of equals the shorter, then the earlier. With one worker the earliest goes first.
fn fill(now: vec2u) {
  own.ask = 0u;
  for (var g = 0u; g < scenario.workers; g++) {
    let w = worker_at(g);
    let running = state[w + W_RUNNING];
    state[w + W_ROOM] = params.slots - running - state[w + W_WAITING];
    state[w + W_FREE_TOKENS] = params.kv_tokens - state[w + W_HELD] - running;
  }
  while (own.first != NONE) {
    let g = least_loaded(true);
    if (g == NONE) { return; }
    let w = worker_at(g);
    let id = best_for(g);
    if (id == NONE) {
      state[w + W_ROOM] = 0u;
      continue;
    }
    state[w + W_ROOM] -= 1u;
    state[w + W_FREE_TOKENS] -= input_of(id) + 1u;
    withdraw(id);
    send(id, g, now);
  }
}

/// Of those that wait here, the one for worker g: the longest up to the margin, or the shortest beyond it.
fn best_for(g: u32) -> u32 {
  var most = 0u;
  for (var other = 0u; other < scenario.workers; other++) {
    if (other != g) { most = max(most, load_of(other)); }
  }
  let margin = i32(most) - i32(load_of(g));
  let free = bitcast<i32>(state[worker_at(g) + W_FREE_TOKENS]);
  var below = NONE;
  var above = NONE;
  var below_tokens = 0;
  var above_tokens = 0;
  var seen = 0u;
  for (var id = own.first; id != NONE && seen < WINDOW; id = field(id, R_NEXT)) {
    seen++;
    let tokens = i32(input_of(id));
    if (tokens + 1 > free) { continue; }
    if (scenario.workers == 1u) {
      below = id;
      break;
    }
    if (tokens <= margin) {
      if (below == NONE || tokens > below_tokens) {
        below = id;
        below_tokens = tokens;
      }
    } else if (above == NONE || tokens < above_tokens) {
      above = id;
      above_tokens = tokens;
    }
  }
  work += seen + scenario.workers;
  if (below == NONE || above == NONE) { return select(below, above, below == NONE); }
  let lost = multiply64(scenario.workers, u32(above_tokens - margin));
  return select(below, above, less64(lost, vec2u(u32(above_tokens - below_tokens), 0u)));
}

fn withdraw(id: u32) {
  let after = field(id, R_NEXT);
  let before = field(id, R_PREVIOUS);
  if (before == NONE) { own.first = after; } else { set_field(before, R_NEXT, after); }
  if (after == NONE) { own.last = before; } else { set_field(after, R_PREVIOUS, before); }
}
