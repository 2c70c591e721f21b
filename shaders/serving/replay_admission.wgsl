// replay_admission: who waits for a worker, who begins, and who has to go.
//
// Declares  wait_at(), prepare().
// Needs     params, requests, state, arrival_of() of replay.wgsl; scenario, own, starts, work, field(), set_field(), count(), input_of(), output_of(),
//           estimate_of(), tokens_at_start(), asks(), NONE, SJF, PRIORITY, SVF, STARTED, TURN, W_..., R_..., C_... of replay_state.wgsl; append_running(),
//           remove_running(), insert_ordered(), remove_ordered(), ENDING, EXPECTED, push_waiting(), pop_waiting() of replay_lists.wgsl; add64(), subtract64(),
//           multiply64() of u64.wgsl.
// Barriers  none.

/// Tokens that it is taken to make from its start on.
fn to_go(id: u32) -> u32 {
  let estimate = estimate_of(id);
  let made = field(id, R_MADE);
  return select(1u, estimate - made, estimate > made);
}

/// What it is ordered by while it waits: the least goes first.
fn order_of(id: u32, evicted: bool) -> vec2u {
  if (scenario.scheduling == SJF) { return vec2u(input_of(id), 0u); }
  if (scenario.scheduling == PRIORITY) { return vec2u(requests[id].z, 0u); }
  if (scenario.scheduling == SVF) {
    let rounds = to_go(id);
    let twice = multiply64(rounds, rounds + 1u);
    return add64(multiply64(tokens_at_start(id), rounds), vec2u((twice.x >> 1u) | (twice.y << 31u), twice.y >> 1u));
  }
  if (!evicted) { return vec2u(field(id, R_TURN) & TURN, 1u); }
  let before = own.evicted;
  own.evicted = before + 1u;
  return vec2u(NONE - before, 0u);  // ahead of all others, and of those that were evicted before
}

fn wait_at(w: u32, id: u32, evicted: bool) {
  state[w + W_WAITING] += 1u;
  state[w + W_WAITING_TOKENS] += tokens_at_start(id);
  state[w + W_ASK] = 1u;
  let order = order_of(id, evicted);
  set_field(id, R_KEY, order.x);
  set_field(id, R_KEY_HIGH, order.y);
  push_waiting(w, id);
}

/// Whether held + runs * tau is more than M.
fn exceeds(held: u32, runs: u32, tau: u32) -> bool {
  return held > params.kv_tokens || tau > (params.kv_tokens - held) / runs;
}

/// Whether memory suffices at its own expected end, and at those before it: for each such tau steps ahead
///
///   sum over those expected to run then, itself too, of (held + tau)  <=  M
fn fits_later(w: u32, id: u32) -> bool {
  let rounds = to_go(id);
  let steps = state[w + W_STEPS];
  var held = tokens_at_start(id);
  var runs = 1u;
  var checked = false;
  // From the last expected end to the first.
  var at = state[w + W_EXPECTED_LAST];
  while (at != NONE) {
    let end = field(at, R_EXPECTED_END);
    if (end <= steps) { break; }  // it should have ended, and is taken to do so with the next step
    let tau = end - steps;
    if (tau < rounds && !checked) {
      if (exceeds(held, runs, rounds)) { return false; }
      checked = true;
    }
    held += input_of(at) + estimate_of(at) - tau;  // what is left of its estimate tells what it has made
    runs++;
    work++;
    at = field(at, R_EXPECTED_PREVIOUS);
    var same = false;
    if (at != NONE) { same = field(at, R_EXPECTED_END) == end; }
    if (tau < rounds && !same && exceeds(held, runs, tau)) { return false; }
  }
  return checked || !exceeds(held, runs, rounds);
}

fn let_in(w: u32, now: vec2u) {
  state[w + W_ASK] = 0u;
  while (state[w + W_TOP] != NONE && state[w + W_RUNNING] < params.slots) {
    let id = state[w + W_TOP];
    if (state[w + W_HELD] + state[w + W_RUNNING] + tokens_at_start(id) + 1u > params.kv_tokens) { return; }
    if (scenario.scheduling == SVF && state[w + W_RUNNING] > 0u && !fits_later(w, id)) { return; }
    pop_waiting(w);
    begin(w, id, now);
    work++;
  }
}

fn begin(w: u32, id: u32, now: vec2u) {
  let tokens = tokens_at_start(id);
  append_running(w, id);
  state[w + W_RUNNING] += 1u;
  state[w + W_HELD] += tokens;
  state[w + W_WAITING] -= 1u;
  state[w + W_WAITING_TOKENS] -= tokens;
  set_field(id, R_KEY, tokens);
  if (state[w + W_PREFILLS] == 0u) { state[w + W_PREFILLING] = id; }
  state[w + W_PREFILLS] += 1u;
  if (scenario.scheduling == SVF) {
    set_field(id, R_EXPECTED_END, state[w + W_STEPS] - field(id, R_MADE) + estimate_of(id));
    insert_ordered(EXPECTED, w, id);
  }
  let turn = field(id, R_TURN);
  if ((turn & STARTED) == 0u) {
    set_field(id, R_TURN, turn | STARTED);
    count(C_WAIT, subtract64(now, arrival_of(id)));
  }
  starts = true;
}

/// Those that began last go until the next step fits.
fn make_room(w: u32) {
  while (state[w + W_HELD] + state[w + W_RUNNING] > params.kv_tokens) {
    let id = state[w + W_LAST];
    var generated = field(id, R_MADE);
    if (state[w + W_PREFILLS] > 0u) {
      state[w + W_PREFILLS] -= 1u;
    } else {
      generated = state[w + W_STEPS] + output_of(id) - field(id, R_KEY);
      remove_ordered(ENDING, w, id);
    }
    remove_running(w, id);
    if (scenario.scheduling == SVF) { remove_ordered(EXPECTED, w, id); }
    state[w + W_RUNNING] -= 1u;
    state[w + W_HELD] -= input_of(id) + generated;
    let made = select(0u, generated, params.recompute == 1u);
    set_field(id, R_MADE, made);
    count(C_WASTED, vec2u(generated - made, 0u));
    count(C_EVICTIONS, vec2u(1u, 0u));
    wait_at(w, id, true);
    work++;
  }
}

/// Between two steps: lets requests begin, and makes room for the tokens of those that run.
fn prepare(w: u32, now: vec2u) {
  if (state[w + W_HELD] + state[w + W_RUNNING] <= params.kv_tokens && asks(w)) { let_in(w, now); }
  if (state[w + W_HELD] + state[w + W_RUNNING] <= params.kv_tokens) { return; }
  make_room(w);
  // As engines do: nobody begins in a step for which somebody had to go, unless there would be none.
  if (state[w + W_RUNNING] == 0u && asks(w)) { let_in(w, now); }
}
