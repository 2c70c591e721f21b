// finish: from a nearly optimal x to whole tokens, optimal and proven, in i32.
//
// Each expert's tokens are rounded with their sum kept. Then every GPU g may hold cap_g tokens: those it can serve by the time that
// the best cut so far proves to be needed. While some GPU holds more, a breadth-first search (an expert with tokens on GPU a
// leads from a to its other replicas) finds the nearest GPU with room, and tokens move along the path. A search that finds none has
// reached a set S that cannot do with its caps: S is a better cut, its bound raises the caps, and the work goes on. Each
// step either moves a token closer or raises an integer bound, so it ends, and it ends with every load within the bound.
//
// Declares  round_to_tokens(), finish(), kept [R] tokens.
// Needs     record, gpus, experts, start_of(), gpu_of(), AT_... of topology_record.wgsl; topology, tokens, alone, member, cap, EQUAL_SPEEDS, MAX_GPUS,
//           MAX_REPLICAS of lane.wgsl; best_x of interior_point.wgsl; start_caps(), raise_caps() of whole_time.wgsl; MOVE_LIMIT of solve_params.wgsl.
// Barriers  none.

var<private> kept: array<i32, MAX_REPLICAS>;
var<private> held: array<i32, MAX_GPUS>;        // tokens on each GPU
var<private> queue: array<u32, MAX_GPUS>;
var<private> arrives: array<u32, MAX_GPUS>;     // the replica that the path's tokens arrive at
var<private> leaves: array<u32, MAX_GPUS>;      // the replica of the same expert that they leave
var<private> visited: array<bool, MAX_GPUS>;

fn round_to_tokens() {
  for (var e = 0u; e < experts; e++) {
    let end = start_of(e + 1u);
    var left = tokens[e];
    for (var r = start_of(e); r + 1u < end; r++) {
      kept[r] = min(left, i32(best_x[r] + 0.5));
      left -= kept[r];
    }
    kept[end - 1u] = left;
  }
}

/// inside(S) of the swept cut.
fn inside_member() -> i32 {
  var inside = 0;
  for (var g = 0u; g < gpus; g++) { inside += select(0, alone[g], member[g]); }
  for (var e = 0u; e < experts; e++) {
    var all = true;
    for (var r = start_of(e); r < start_of(e + 1u); r++) { all = all && member[gpu_of(r)]; }
    inside += select(0, tokens[e], all);
  }
  return inside;
}

/// Breadth-first from GPU `start`; returns a GPU with room, or `gpus` with `visited` a set without any.
fn search(start: u32) -> u32 {
  for (var g = 0u; g < gpus; g++) { visited[g] = false; }
  visited[start] = true;
  queue[0] = start;
  var tail = 1u;
  for (var head = 0u; head < tail; head++) {
    let a = queue[head];
    for (var i = topology[record + AT_GPU_START + a]; i < topology[record + AT_GPU_START + a + 1u]; i++) {
      let r = topology[record + AT_GPU_REPLICA + i];
      if (kept[r] == 0) { continue; }
      let e = topology[record + AT_OWNER + r];
      for (var k = start_of(e); k < start_of(e + 1u); k++) {
        let g = gpu_of(k);
        if (visited[g]) { continue; }
        visited[g] = true;
        arrives[g] = k;
        leaves[g] = r;
        if (held[g] < cap[g]) { return g; }
        queue[tail] = g;
        tail++;
      }
    }
  }
  return gpus;
}

/// Moves what the excess of `start`, the room on `end` and the path between them allow.
fn move_tokens(start: u32, end: u32) {
  let room = u32(cap[end]) - u32(held[end]);  // wraps to the right answer even where i32 would overflow
  var amount = i32(min(room, u32(held[start] - cap[start])));
  for (var g = end; g != start; g = gpu_of(leaves[g])) { amount = min(amount, kept[leaves[g]]); }
  for (var g = end; g != start; g = gpu_of(leaves[g])) {
    kept[arrives[g]] += amount;
    kept[leaves[g]] -= amount;
  }
  held[start] -= amount;
  held[end] += amount;
}

/// Returns the moves made, or more than MOVE_LIMIT when it gave up.
fn finish() -> u32 {
  for (var g = 0u; g < gpus; g++) { held[g] = alone[g]; }
  for (var e = 0u; e < experts; e++) {
    for (var r = start_of(e); r < start_of(e + 1u); r++) { held[gpu_of(r)] += kept[r]; }
  }
  start_caps();
  let inside_first = inside_member();
  if (!EQUAL_SPEEDS && inside_first < 0) { return MOVE_LIMIT + 1u; }  // a time before 0, which whole_time does not tell
  raise_caps(inside_first);

  var moves = 0u;
  var raises = 0u;
  for (var g = 0u; g < gpus; g++) {
    while (held[g] > cap[g]) {
      if (moves + raises >= MOVE_LIMIT) { return MOVE_LIMIT + 1u; }
      let end = search(g);
      if (end < gpus) {
        move_tokens(g, end);
        moves++;
      } else {
        var inside = 0;  // every token on a reached GPU belongs to an expert without replicas elsewhere
        for (var k = 0u; k < gpus; k++) {
          member[k] = visited[k];
          inside += select(0, held[k], visited[k]);
        }
        raise_caps(inside);
        raises++;
      }
    }
  }
  return moves;
}
