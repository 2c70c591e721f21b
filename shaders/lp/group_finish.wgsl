// group_finish: finish.wgsl by the lanes of a group: from a nearly optimal x to whole tokens, optimal and proven.
//
// Rounding, loads and caps are everybody's. The moves are lane 0's alone, without barriers: there are a few at most, and each
// search stops at the first GPU with room, a few steps away. A search that finds none hands a better cut to all lanes, who raise the caps.
//
// The caps start at the time when the hottest GPU is done with what has no choice, so fixed GPUs need no caps.
//
// Declares  finish(), Finished.
// Needs     topology, record, places, fixed, experts, wg_tokens, wg_kept, wg_held, wg_member, start_of(), gpu_of(), speed(), AT_..., WG,
//           EQUAL_SPEEDS, MAX_GPUS of group.wgsl; Hottest, wg_b of group_problem.wgsl; wg_y of group_newton_system.wgsl; wg_best,
//           scaled_load() of group_interior_point.wgsl; wg_cap, set_caps(), raise_time() of group_time.wgsl; less64() of u64.wgsl; MOVE_LIMIT of
//           solve_params.wgsl; Totals, Counts, LEAST of totals.wgsl; reduce(), reduce_counts() of workgroup_reduce.wgsl or subgroup_reduce.wgsl.
// Barriers  7 (2 with subgroups) for the first cut, and 3 for each time that lane 0 moves tokens: once, and after each raise of the bound.
//           With unequal speeds 2 (0) for the first cut and for each raise, and 3 (2) for each look at the time. Without a choice 1 + 3.

const DONE = 0u;  // what lane 0 reports: every load is within its cap
const STUCK = 1u; // no room within reach: `wg_member` is a better cut
const GAVE_UP = 2u;

struct Moves {
  state: u32,
  moves: u32,
  inside: i32,  // tokens on the cut
  size: u32,    // its GPUs
}

struct Finished {
  moves: u32,        // more than MOVE_LIMIT when it gave up
  is_hottest: bool,  // the cut is the hottest GPU alone, not wg_member
  hottest: u32,
}

var<workgroup> wg_visited: array<u32, MAX_GPUS>;  // number of the search that came here last
var<workgroup> wg_queue: array<u32, MAX_GPUS>;
var<workgroup> wg_path: array<u32, MAX_GPUS>;     // the replica that the path's tokens arrive at | the one that they leave << 16
var<workgroup> wg_moves: Moves;

var<private> moves: u32;     // of lane 0
var<private> raises: u32;
var<private> searches: u32;

/// The price from which on a GPU is in the cut: half the largest, or 0 where all of them are the better one. Near the optimum prices are
/// nearly 0 or the same.
fn threshold(lane: u32) -> f32 {
  var own = Totals(vec4f(0.0), vec4f(LEAST));
  for (var k = fixed + lane; k < places; k += WG) { own.tops.x = max(own.tops.x, wg_y[k]); }
  let half = reduce(own, lane).tops.x / 2.0;
  own = Totals(vec4f(0.0), vec4f(LEAST));  // inside and speed of the one cut, inside and speed of the other
  for (var k = fixed + lane; k < places; k += WG) {
    let in_half = select(0.0, 1.0, wg_y[k] >= half);
    own.sums += vec4f(in_half, in_half, 1.0, 1.0) * vec4f(wg_b[k], speed(k), wg_b[k], speed(k));
  }
  for (var e = lane; e < experts; e += WG) {
    own.sums += vec4f(select(0.0, 1.0, inside_cut(e, half)), 0.0, 1.0, 0.0) * scaled_load(e);
  }
  let both_cuts = reduce(own, lane).sums;
  return select(0.0, half, both_cuts.x * both_cuts.w >= both_cuts.z * both_cuts.y);
}

fn inside_cut(e: u32, least: f32) -> bool {
  var all = true;
  for (var r = start_of(e); r < start_of(e + 1u); r++) { all = all && wg_y[gpu_of(r)] >= least; }
  return all;
}

fn round_to_tokens(e: u32) {
  let end = start_of(e + 1u);
  var left = wg_tokens[e];
  for (var r = start_of(e); r + 1u < end; r++) {
    wg_kept[r] = min(left, i32(wg_best[r] + 0.5));
    left -= wg_kept[r];
  }
  wg_kept[end - 1u] = left;
}

/// Breadth-first from place `start`; returns a place with room, or `places` with a set visited that has none.
fn search(start: u32) -> u32 {
  searches++;
  wg_visited[start] = searches;
  wg_queue[0] = start;
  var tail = 1u;
  for (var head = 0u; head < tail; head++) {
    let at = record + AT_ON_GPU + wg_queue[head];
    for (var i = topology[at]; i < topology[at + 1u]; i++) {
      let r = topology[record + i];
      if (wg_kept[r] == 0) { continue; }
      let e = topology[record + AT_OWNER + r];
      for (var other = start_of(e); other < start_of(e + 1u); other++) {
        let k = gpu_of(other);
        if (wg_visited[k] == searches) { continue; }
        wg_visited[k] = searches;
        wg_path[k] = other | (r << 16u);
        if (wg_held[k] < wg_cap[k]) { return k; }
        wg_queue[tail] = k;
        tail++;
      }
    }
  }
  return places;
}

/// Moves what the excess of `start`, the room on `end` and the path between them allow.
fn move_tokens(start: u32, end: u32) {
  let room = u32(wg_cap[end]) - u32(wg_held[end]);  // wraps to the right answer even where i32 would overflow
  var amount = i32(min(room, u32(wg_held[start] - wg_cap[start])));
  for (var k = end; k != start; k = gpu_of(wg_path[k] >> 16u)) { amount = min(amount, wg_kept[wg_path[k] >> 16u]); }
  for (var k = end; k != start; k = gpu_of(wg_path[k] >> 16u)) {
    wg_kept[wg_path[k] & 0xffffu] += amount;
    wg_kept[wg_path[k] >> 16u] -= amount;
  }
  wg_held[start] -= amount;
  wg_held[end] += amount;
}

/// Moves tokens until every load is within its cap, or until a search finds no room. By one lane.
fn move_all() -> Moves {
  for (var start = fixed; start < places; start++) {
    while (wg_held[start] > wg_cap[start]) {
      if (moves + raises >= MOVE_LIMIT) { return Moves(GAVE_UP, MOVE_LIMIT + 1u, 0, 0u); }
      let end = search(start);
      if (end < places) {
        move_tokens(start, end);
        moves++;
        continue;
      }
      raises++;
      var found = Moves(STUCK, moves, 0, 0u);  // every token on a GPU that is reached belongs to an expert without replicas elsewhere
      for (var k = fixed; k < places; k++) {
        let reached = wg_visited[k] == searches;
        wg_member[k] = select(0u, 1u, reached);
        found.inside += select(0, wg_held[k], reached);
        found.size += wg_member[k];
      }
      return found;
    }
  }
  return Moves(DONE, moves, 0, 0u);
}

/// Leaves wg_kept and wg_member.
fn finish(lane: u32, hottest: Hottest) -> Finished {
  var time = hottest.time;
  var is_hottest = true;
  set_caps(lane, time);
  var negative = hottest.negative;  // the bound is a time before 0, which unequal speeds do not tell
  if (hottest.movable) {
    let least = threshold(lane);
    var own = Counts(vec2u(0u), vec2u(0u));  // tokens inside the cut, its GPUs
    for (var k = fixed + lane; k < places; k += WG) {
      wg_member[k] = select(0u, 1u, wg_y[k] >= least);
      own.sums += vec2u(bitcast<u32>(wg_held[k]), 1u) * wg_member[k];
    }
    for (var e = lane; e < experts; e += WG) {
      own.sums.x += select(0u, u32(wg_tokens[e]), inside_cut(e, least));
      round_to_tokens(e);
    }
    let cut = reduce_counts(own, lane).sums;
    let inside = bitcast<i32>(cut.x);
    let later = raise_time(lane, time, inside, i32(cut.y));
    is_hottest = !less64(time, later);
    time = later;
    negative = negative && inside < 0;
  } else {
    for (var e = lane; e < experts; e += WG) { round_to_tokens(e); }
    workgroupBarrier();  // kept
  }
  if (!EQUAL_SPEEDS && negative) { return Finished(MOVE_LIMIT + 1u, is_hottest, hottest.label); }
  for (var k = fixed + lane; k < places; k += WG) {
    let at = record + AT_ON_GPU + k;
    for (var i = topology[at]; i < topology[at + 1u]; i++) { wg_held[k] += wg_kept[topology[record + i]]; }
  }
  var moved: Moves;
  loop {
    workgroupBarrier();  // held, caps
    if (lane == 0u) { wg_moves = move_all(); }
    moved = workgroupUniformLoad(&wg_moves);
    if (moved.state != STUCK) { break; }
    time = raise_time(lane, time, moved.inside, i32(moved.size));
    is_hottest = false;
  }
  return Finished(moved.moves, is_hottest, hottest.label);
}
