// descent: from a split of tokens to one whose last GPU is done sooner. A step is the move that ends the hottest GPU's work soonest, of tokens of one expert from
// there to another replica; where none helps, a chain of two: onwards from the GPU that the first one went to. Until neither is left.
//
// Moved is what makes the two GPUs end together: the giver's time falls with every token and the taker's rises, so a search for where they cross finds
// the best amount. Loads are in ticks; times are ticks at equal speeds, else ticks times paces, u64.
//
// Declares  begin_split(), descend(), done_time(), hottest(), x [R], ticks [G].
// Needs     topology, start, EQUAL_SPEEDS, MAX_GPUS, MAX_REPLICAS of time.wgsl; record, gpus, experts, start_of(), gpu_of(), pace(), AT_... of topology_record.wgsl;
//           NONE of unit_flow.wgsl; ticks_of() of cost_curve.wgsl; add64(), less64(), multiply64(), divide64() of u64.wgsl.
// Barriers  none.

var<private> x: array<i32, MAX_REPLICAS>;       // tokens
var<private> cost: array<i32, MAX_REPLICAS>;    // of them
var<private> ticks: array<i32, MAX_GPUS>;       // of each GPU
var<private> one: i32;                          // c(1)
var<private> meeting: vec2u;                    // when the later of two GPUs is done after the best split between them
var<private> moves: array<vec3u, 2>;            // of a chain, or the second alone: from, to, how much

const STEP_LIMIT = 256u;
const TWO_TO_32 = 4294967296.0;

fn done_time(g: u32, load: i32) -> vec2u {
  if (EQUAL_SPEEDS) { return vec2u(u32(load), 0u); }
  return multiply64(u32(load), pace(g));
}

/// Takes x as it is.
fn begin_split() {
  one = ticks_of(1);
  for (var g = 0u; g < gpus; g++) { ticks[g] = start[g]; }
  for (var r = 0u; r < start_of(experts); r++) {
    cost[r] = ticks_of(x[r]);
    ticks[gpu_of(r)] += cost[r];
  }
}

/// The GPU that is done last.
fn hottest() -> u32 {
  var last = 0u;
  for (var g = 1u; g < gpus; g++) { if (less64(done_time(last, ticks[last]), done_time(g, ticks[g]))) { last = g; } }
  return last;
}

/// Makes the moves from the first one on.
fn make_moves(first: u32) {
  for (var end = 2u * first; end < 4u; end++) {
    let amount = i32(moves[end / 2u].z);
    let r = select(moves[end / 2u].x, moves[end / 2u].y, end % 2u == 1u);
    let now_here = x[r] + select(-amount, amount, end % 2u == 1u);
    let after = ticks_of(now_here);
    ticks[gpu_of(r)] += after - cost[r];
    x[r] = now_here;
    cost[r] = after;
  }
}

fn difference(a: vec2u, b: vec2u) -> f32 { return (f32(a.y) - f32(b.y)) * TWO_TO_32 + (f32(a.x) - f32(b.x)); }

/// How many tokens of r to give to k for the later of their GPUs to be done soonest, which is then `meeting`. The GPUs hold `left` and `there` besides.
fn split_between(r: u32, k: u32, left: i32, there: i32) -> i32 {
  let giver = gpu_of(r);
  let taker = gpu_of(k);
  let own = x[r];
  let other = x[k];
  // Fewer than `low` leave the giver later, `high` or more the taker. The search closes in from where straight lines would meet,
  // next to it, and halfway, by turns.
  var low = 0;
  var low_giver = done_time(giver, left + cost[r]);
  var low_taker = done_time(taker, there + cost[k]);
  var high = own;
  var high_giver = done_time(giver, left);
  var high_taker = done_time(taker, there + ticks_of(other + own));
  if (less64(high_taker, high_giver)) {
    meeting = high_giver;
    return own;
  }
  var middle = 0;
  var attempt = 0u;
  while (high - low > 1) {
    let excess = difference(low_giver, low_taker);
    if (attempt == 0u && excess > 0.0) {
      middle = low + i32(ceil(excess / (excess + difference(high_taker, high_giver)) * f32(high - low)));
    } else if (attempt == 1u) {
      middle = select(low + 1, high - 1, middle == high);  // where lines are straight, it is done
    } else {
      middle = low + (high - low) / 2;
    }
    middle = clamp(middle, low + 1, high - 1);
    attempt = select(attempt + 1u, 0u, attempt == 2u);
    let at_giver = done_time(giver, left + ticks_of(own - middle));
    let at_taker = done_time(taker, there + ticks_of(other + middle));
    if (less64(at_taker, at_giver)) {
      low = middle;
      low_giver = at_giver;
      low_taker = at_taker;
    } else {
      high = middle;
      high_giver = at_giver;
      high_taker = at_taker;
    }
  }
  if (low > 0 && !less64(high_taker, low_giver)) {
    meeting = low_giver;
    return low;
  }
  meeting = high_taker;
  return high;
}

/// The same of two slots on one GPU: all tokens in one, or as even as can be.
fn merge(r: u32, k: u32) -> i32 {
  let g = gpu_of(r);
  let others = ticks[g] - cost[r] - cost[k];
  let half = max(1, (x[r] - x[k]) / 2);
  let even = others + ticks_of(x[r] - half) + ticks_of(x[k] + half);
  let one = others + ticks_of(x[k] + x[r]);
  meeting = done_time(g, min(even, one));
  return select(x[r], half, even < one);
}

/// Whether some of r's tokens, if given to k, may leave both GPUs done before `limit`: `left` and `there` is what they hold besides.
fn may_give(r: u32, k: u32, left: i32, there: i32, limit: vec2u) -> bool {
  let taker = gpu_of(k);
  if (!less64(done_time(taker, there + ticks_of(x[k] + 1)), limit)) { return false; }
  // All of them, or one that stays costs as much as any.
  return less64(done_time(gpu_of(r), left + one), limit) || less64(done_time(taker, there + ticks_of(x[k] + x[r])), limit);
}

/// The fewest tokens that r must give for its GPU, `left` aside, to come to `goal` ticks; all of them where that does not do.
fn least_given(r: u32, left: i32, goal: i32) -> i32 {
  if (left + one > goal) { return x[r]; }
  var low = 0;
  var high = x[r];
  while (high - low > 1) {
    let middle = low + (high - low) / 2;
    if (left + ticks_of(x[r] - middle) <= goal) { high = middle; } else { low = middle; }
  }
  return high;
}

/// Finds the move off GPU g, which holds `load_now`, that leaves it and the other one done soonest, before `limit`. In a chain tokens came from `origin`, on the
/// hottest GPU, which holds `load_left` now, to `arrived`: these stay. Else both are NONE.
fn best_move(g: u32, load_now: i32, arrived: u32, origin: u32, hot: u32, load_left: i32, limit: vec2u) -> bool {
  var best = limit;
  for (var i = topology[record + AT_GPU_START + g]; i < topology[record + AT_GPU_START + g + 1u]; i++) {
    let s = topology[record + AT_GPU_REPLICA + i];
    let left = load_now - cost[s];
    if (s == arrived || x[s] == 0 || !less64(done_time(g, left), best)) { continue; }
    let e = topology[record + AT_OWNER + s];
    for (var to = start_of(e); to < start_of(e + 1u); to++) {
      let there = gpu_of(to);
      if (to == s || to == origin || (there == g && arrived != NONE)) { continue; }
      let before = select(ticks[there], load_left, arrived != NONE && there == hot) - cost[to];
      if (there != g && !may_give(s, to, left, before, best)) { continue; }
      var amount: i32;
      if (there == g) { amount = merge(s, to); } else { amount = split_between(s, to, left, before); }
      if (!less64(meeting, best)) { continue; }
      best = meeting;
      moves[1] = vec3u(s, to, u32(amount));
    }
  }
  return less64(best, limit);
}

/// The best move off the hottest GPU, or else the first chain of two that gains: of all tokens of a replica there, or of as many as bring the GPU halfway to
/// the goal, to another one; then the best move from there. First of all, no move before the last.
fn step_down(hot: u32, goal: vec2u) -> bool {
  let limit = done_time(hot, ticks[hot]);
  let both = add64(limit, goal);
  var halfway = i32(both.x / 2u);
  if (!EQUAL_SPEEDS) { halfway = i32(divide64(vec2u((both.x >> 1u) | (both.y << 31u), both.y >> 1u), pace(hot))); }
  let first = topology[record + AT_GPU_START + hot];
  for (var i = first; i <= topology[record + AT_GPU_START + hot + 1u]; i++) {
    let direct = i == first;
    var r = NONE;
    var half = 0;
    var left = 0;
    var others = vec2u(0u, 1u);
    if (!direct) {
      r = topology[record + AT_GPU_REPLICA + i - 1u];
      left = ticks[hot] - cost[r];
      if (x[r] == 0 || !less64(done_time(hot, left), limit)) { continue; }
      half = least_given(r, left, halfway);
      let e = topology[record + AT_OWNER + r];
      others = vec2u(start_of(e), start_of(e + 1u));
    }
    for (var k = others.x; k < others.y; k++) {
      for (var attempt = 0u; attempt < 2u; attempt++) {
        var g = hot;
        var arrived = NONE;
        var load_now = ticks[hot];
        var load_left = 0;
        if (direct) {
          if (attempt == 1u) { break; }
        } else {
          g = gpu_of(k);
          if (g == hot || (attempt == 1u && half == x[r])) { break; }
          let amount = select(x[r], half, attempt == 0u);
          load_left = left + ticks_of(x[r] - amount);
          if (!less64(done_time(hot, load_left), limit)) { continue; }
          arrived = k;
          load_now = ticks[g] - cost[k] + ticks_of(x[k] + amount);
          moves[0] = vec3u(r, k, u32(amount));
        }
        if (!best_move(g, load_now, arrived, r, hot, load_left, limit)) { continue; }
        make_moves(select(0u, 1u, direct));
        return true;
      }
    }
  }
  return false;
}

/// Descends until the last GPU is done by `goal`, or no step is left. Returns the steps.
fn descend(goal: vec2u) -> u32 {
  for (var steps = 0u; steps < STEP_LIMIT; steps++) {
    let hot = hottest();
    if (!less64(goal, done_time(hot, ticks[hot]))) { return steps; }
    if (!step_down(hot, goal)) { return steps; }
  }
  return STEP_LIMIT;
}
