// replay_steps: what the steps of a worker take, and what is done in them.
//
// Declares  plan_steps(), product(), catch_up(), wake(), finish_steps().
// Needs     params, state, outcome, arrival_of() of replay.wgsl; scenario, own, counts, at_outcome, work, field(), set_field(), pair(), set_pair(), count(),
//           input_of(), output_of(), tokens_at_start(), asks(), NONE, NEVER, SVF, WOKEN, STEPPING, HAS_TOKEN, W_..., R_..., C_..., COUNT_WORDS, BINS_OF_OCTAVE,
//           BINS of replay_state.wgsl; remove_running(), insert_ordered(), remove_ordered(), ENDING, EXPECTED of replay_lists.wgsl; add64(), subtract64(),
//           less64(), multiply64(), quotient64(), length64() of u64.wgsl.
// Barriers  none.

/// The low 64 bits of c x many, which are all of it.
fn product(c: vec2u, many: vec2u) -> vec2u {
  let low = multiply64(c.x, many.x);
  return vec2u(low.x, low.y + c.x * many.y + c.y * many.x);
}

/// A step's time rounded up.
fn ticks_of(takes: vec2u) -> vec2u { return vec2u(takes.y + select(0u, 1u, takes.x > 0u), 0u); }

/// Plans steps until something has to be decided; somebody runs.
fn plan_steps(w: u32, now: vec2u) {
  let running = state[w + W_RUNNING];
  let held = state[w + W_HELD];
  let prefills = state[w + W_PREFILLS];
  var planned = 1u;
  if (prefills == 0u && !asks(w)) {
    planned = min(field(state[w + W_ENDING], R_KEY) - state[w + W_STEPS], (params.kv_tokens - held) / running);
  }
  state[w + W_PLANNED] = planned;
  state[w + W_LEFT] = planned;
  state[w + W_GENERATING] = running - prefills;
  let growth = product(params.per_kv_token, vec2u(running, 0u));
  var takes = add64(params.base, product(params.per_sequence, vec2u(running, 0u)));
  takes = add64(takes, product(params.per_kv_token, vec2u(held, 0u)));
  if (prefills > 0u) { takes = add64(takes, prefill(w)); }
  set_pair(w + W_TAKES, takes);
  set_pair(w + W_GROWTH, growth);
  set_pair(w + W_STEP_START, now);
  var end = add64(now, ticks_of(takes));
  set_pair(w + W_STEP_END, end);
  for (var k = 1u; k < planned; k++) {
    takes = add64(takes, growth);
    end = add64(end, ticks_of(takes));
  }
  work += planned;
  set_pair(w + W_END, end);
  state[w + W_STATE] = STEPPING;
  own.stepping += 1u;
  counts[C_BUSY] = subtract64(counts[C_BUSY], now);
}

/// What the next step prefills: the oldest first, up to a chunk. From now on it counts as done. @returns what that takes.
fn prefill(w: u32) -> vec2u {
  var budget = params.chunk;
  var half_pairs = vec2u(0u);
  var tokens = 0u;
  for (var id = state[w + W_PREFILLING]; id != NONE && budget > 0u; id = field(id, R_NEXT)) {
    let left = field(id, R_KEY);
    let part = min(left, budget);
    half_pairs = add64(half_pairs, multiply64(part, 2u * (tokens_at_start(id) - left) + part));
    tokens += part;
    budget -= part;
    set_field(id, R_KEY, left - part);
    work++;
  }
  return add64(product(params.per_prefill_token, vec2u(tokens, 0u)), product(params.per_half_pair, half_pairs));
}

/// Counts the steps that have ended by now; one at least has.
fn catch_up(w: u32, now: vec2u) {
  var left = state[w + W_LEFT];
  var end = pair(w + W_STEP_END);
  var start = end;
  let growth = pair(w + W_GROWTH);
  var takes = pair(w + W_TAKES);
  var done = 0u;
  while (!less64(now, end)) {
    left--;
    done++;
    start = end;
    takes = add64(takes, growth);
    end = select(add64(end, ticks_of(takes)), NEVER, left == 0u);
  }
  work += done;
  let generating = state[w + W_GENERATING];
  state[w + W_LEFT] = left;
  state[w + W_STEPS] += done;
  state[w + W_HELD] += done * generating;
  count(C_STEPS, vec2u(done, 0u));
  count(C_TOKENS, multiply64(done, generating));
  set_pair(w + W_STEP_START, start);
  set_pair(w + W_STEP_END, end);
  set_pair(w + W_TAKES, takes);
}

/// Something waits for a worker: it is let in before the next step, which for an idle one is the next grain of time.
fn wake(w: u32, now: vec2u) {
  if (state[w + W_STATE] != STEPPING) {
    state[w + W_STATE] = WOKEN;
    let up = add64(now, vec2u(params.grain - 1u, 0u));
    let begins = vec2u(up.x & ~(params.grain - 1u), up.y);
    if (less64(begins, pair(w + W_END))) { set_pair(w + W_END, begins); }
    return;
  }
  let planned = state[w + W_PLANNED];
  if (planned == 1u || state[w + W_RUNNING] >= params.slots) { return; }
  // Its steps end with the one that is under way; between two of them, now.
  let between = state[w + W_LEFT] < planned && all(pair(w + W_STEP_START) == now);
  let end = select(pair(w + W_STEP_END), now, between);
  state[w + W_LEFT] = select(1u, 0u, between);
  state[w + W_PLANNED] = 1u;
  set_pair(w + W_END, end);
  set_pair(w + W_STEP_END, select(end, NEVER, between));
}

/// The steps that were planned have been done, the last of them now.
fn finish_steps(w: u32, now: vec2u) {
  count(C_BUSY, now);
  own.stepping -= 1u;
  state[w + W_STATE] = WOKEN;
  if (state[w + W_PREFILLS] > 0u) { make_first_tokens(w, now); }
  while (state[w + W_ENDING] != NONE) {
    let id = state[w + W_ENDING];
    if (field(id, R_KEY) > state[w + W_STEPS]) { break; }
    finish(w, id, now);
    work++;
  }
}

fn make_first_tokens(w: u32, now: vec2u) {
  while (state[w + W_PREFILLS] > 0u) {
    let id = state[w + W_PREFILLING];
    if (field(id, R_KEY) > 0u) { break; }
    state[w + W_PREFILLING] = field(id, R_NEXT);
    state[w + W_PREFILLS] -= 1u;
    state[w + W_HELD] += 1u;
    count(C_TOKENS, vec2u(1u, 0u));
    let turn = field(id, R_TURN);
    if ((turn & HAS_TOKEN) == 0u) {
      set_field(id, R_TURN, turn | HAS_TOKEN);
      set_field(id, R_FIRST_TOKEN, now.x);
      set_field(id, R_FIRST_TOKEN + 1u, now.y);
      let time = subtract64(now, arrival_of(id));
      count(C_TTFT, time);
      outcome[at_outcome + COUNT_WORDS + bin_of(time)] += 1u;
    }
    set_field(id, R_KEY, state[w + W_STEPS] + output_of(id) - field(id, R_MADE) - 1u);
    insert_ordered(ENDING, w, id);
    work++;
  }
  if (scenario.scheduling != SVF || state[w + W_PREFILLS] == 0u) { return; }
  // The others have made nothing in this step, as was expected of them.
  for (var id = state[w + W_PREFILLING]; id != NONE; id = field(id, R_NEXT)) {
    remove_ordered(EXPECTED, w, id);
    set_field(id, R_EXPECTED_END, field(id, R_EXPECTED_END) + 1u);
    insert_ordered(EXPECTED, w, id);
    work++;
  }
}

fn finish(w: u32, id: u32, now: vec2u) {
  remove_running(w, id);
  remove_ordered(ENDING, w, id);
  if (scenario.scheduling == SVF) { remove_ordered(EXPECTED, w, id); }
  state[w + W_RUNNING] -= 1u;
  state[w + W_HELD] -= input_of(id) + output_of(id);
  state[w + W_ASK] = 1u;
  own.ask = 1u;
  let first = vec2u(field(id, R_FIRST_TOKEN), field(id, R_FIRST_TOKEN + 1u));
  let to_first = subtract64(first, arrival_of(id));
  let after_first = subtract64(now, first);
  let gaps = output_of(id) - 1u;
  count(C_SERVED, vec2u(1u, 0u));
  count(C_LATENCY, add64(to_first, after_first));
  counts[C_MAKESPAN] = now;
  if (gaps > 0u) {
    let each = quotient64(after_first, gaps);
    count(C_SEVERAL, vec2u(1u, 0u));
    count(C_TPOT, each);
    outcome[at_outcome + COUNT_WORDS + BINS + bin_of(each)] += 1u;
  }
  let slow = any(params.tpot_limit != NEVER) && less64(product(params.tpot_limit, vec2u(gaps, 0u)), after_first);
  if (!slow && !less64(params.ttft_limit, to_first)) { count(C_GOOD, vec2u(1u, 0u)); }
}

/// 64 bins for each power of two; what is longer than 2^42 is in the last.
fn bin_of(time: vec2u) -> u32 {
  let bits = length64(time);
  if (bits <= 6u) { return time.x; }
  let shift = bits - 7u;
  var mantissa = time.x >> (shift % 32u);
  if (shift >= 32u) { mantissa = time.y >> (shift - 32u); }
  else if (shift > 0u) { mantissa |= time.y << (32u - shift); }
  return min(BINS - 1u, BINS_OF_OCTAVE * (bits - 6u) + (mantissa & (BINS_OF_OCTAVE - 1u)));
}
