// unit_flow: whole units of one size on GPUs, so that the last is done as early as can be: exact, with a set of GPUs as proof. GPU g is free from a time of its
// own and then does a unit per pace.
//
// As src/lp/exact.ts finds it: the time starts at the best bound known without search; units are routed into what GPUs do by then, along augmenting paths;
// where an expert's cannot be routed, the GPUs that the search reached cannot do theirs in time, which raises it.
//
// Time is u64: at equal speeds units and, below, their 2^-32; else paces of 2^-31 of the slowest GPU's unit, as in whole_time.wgsl.
//
// Declares  route_all(), need [E], alone [G], free_at [G], held [G], flow [R], NONE.
// Needs     topology, member, EQUAL_SPEEDS, MAX_GPUS, MAX_REPLICAS of time.wgsl; record, gpus, experts, start_of(), gpu_of(), pace(), MAX_EXPERTS,
//           AT_... of topology_record.wgsl; units_per_token(), skip_ahead() of token_time.wgsl; add64(), subtract64(), less64(), larger64(), multiply64(),
//           divide64(), MAX_I32 of u64.wgsl; MOVE_LIMIT of solve_params.wgsl.
// Barriers  none.

var<private> need: array<i32, MAX_EXPERTS>;      // units of each expert with a choice
var<private> alone: array<i32, MAX_GPUS>;        // units that have none
var<private> free_at: array<vec2u, MAX_GPUS>;
var<private> flow: array<i32, MAX_REPLICAS>;
var<private> held: array<i32, MAX_GPUS>;
var<private> room: array<i32, MAX_GPUS>;         // units that each GPU can do by `now`
var<private> now: vec2u;
var<private> together: bool;                     // GPUs of equal speed that are free at the same time
var<private> queue: array<u32, MAX_GPUS>;
var<private> arrives: array<u32, MAX_GPUS>;      // the replica that the path's units arrive at
var<private> leaves: array<u32, MAX_GPUS>;       // the replica of the same expert that they leave, NONE for units not yet routed
var<private> visited: array<bool, MAX_GPUS>;

const NONE = 0xffffffffu;
const UNIT = 4294967296.0;  // time of a unit at equal speeds

fn done_at(g: u32, units: i32) -> vec2u {
  if (EQUAL_SPEEDS) { return add64(free_at[g], vec2u(0u, u32(units))); }
  return add64(free_at[g], multiply64(u32(units), pace(g)));
}

fn done_by(g: u32, time: vec2u) -> i32 {
  if (less64(time, free_at[g])) { return 0; }
  let left = subtract64(time, free_at[g]);
  if (EQUAL_SPEEDS) { return i32(min(left.y, MAX_I32)); }
  return i32(divide64(left, pace(g)));
}

/// The units that can only be done by the visited GPUs.
fn inside_visited() -> i32 {
  var inside = 0;
  for (var g = 0u; g < gpus; g++) { inside += select(0, alone[g], visited[g]); }
  for (var e = 0u; e < experts; e++) {
    var all_inside = true;
    for (var r = start_of(e); r < start_of(e + 1u); r++) { all_inside = all_inside && visited[gpu_of(r)]; }
    inside += select(0, need[e], all_inside);
  }
  return inside;
}

/// Moves time on to when the visited GPUs can be done with what is theirs alone, if that is later: then they are the proof.
fn raise_time() {
  var size = 0;
  var rate = 0.0;
  for (var g = 0u; g < gpus; g++) {
    if (!visited[g]) { continue; }
    size++;
    if (EQUAL_SPEEDS) { rate += 1.0 / UNIT; } else { rate += 1.0 / f32(pace(g)); }
  }
  let inside = inside_visited();
  let units = units_per_token(rate);
  var later = false;
  if (together) {
    let least = add64(free_at[0], vec2u(0u, u32(inside / size)));
    later = less64(now, least);
    now = larger64(now, least);
  }
  loop {
    var missing = inside;
    var next = vec2u(NONE);
    for (var g = 0u; g < gpus; g++) {
      if (!visited[g] || missing <= 0) { continue; }
      let done = done_by(g, now);
      missing -= done;
      let then = done_at(g, done + 1);
      if (less64(then, next)) { next = then; }
    }
    if (missing <= 0) { break; }
    later = true;
    now = skip_ahead(next, missing, size, units);
  }
  if (!later) { return; }
  for (var g = 0u; g < gpus; g++) {
    member[g] = visited[g];
    room[g] = done_by(g, now);
  }
}

/// Breadth-first from the GPUs of expert e to one with room, or `gpus`, with `visited` a set without any.
fn search(e: u32) -> u32 {
  for (var g = 0u; g < gpus; g++) { visited[g] = false; }
  var tail = 0u;
  for (var r = start_of(e); r < start_of(e + 1u); r++) {
    let g = gpu_of(r);
    if (visited[g]) { continue; }  // every slot is a replica of its own, several may be on one GPU
    visited[g] = true;
    arrives[g] = r;
    leaves[g] = NONE;
    if (held[g] < room[g]) { return g; }
    queue[tail] = g;
    tail++;
  }
  for (var head = 0u; head < tail; head++) {
    let a = queue[head];
    for (var i = topology[record + AT_GPU_START + a]; i < topology[record + AT_GPU_START + a + 1u]; i++) {
      let r = topology[record + AT_GPU_REPLICA + i];
      if (flow[r] == 0) { continue; }
      let other = topology[record + AT_OWNER + r];
      for (var k = start_of(other); k < start_of(other + 1u); k++) {
        let g = gpu_of(k);
        if (visited[g]) { continue; }
        visited[g] = true;
        arrives[g] = k;
        leaves[g] = r;
        if (held[g] < room[g]) { return g; }
        queue[tail] = g;
        tail++;
      }
    }
  }
  return gpus;
}

/// Sends at most `amount` units along the path that ends on GPU `end`; returns how many.
fn augment(end: u32, amount: i32) -> i32 {
  var sent = min(amount, room[end] - held[end]);
  for (var g = end; leaves[g] != NONE; g = gpu_of(leaves[g])) { sent = min(sent, flow[leaves[g]]); }
  held[end] += sent;
  for (var g = end; ; g = gpu_of(leaves[g])) {
    flow[arrives[g]] += sent;
    if (leaves[g] == NONE) { break; }
    flow[leaves[g]] -= sent;
  }
  return sent;
}

/// Routes need[e] units of every expert. Returns the paths, or more than MOVE_LIMIT when it gave up.
fn route_all() -> u32 {
  now = free_at[0];
  together = EQUAL_SPEEDS;
  var last = 0u;
  for (var g = 0u; g < gpus; g++) {
    held[g] = alone[g];
    together = together && all(free_at[g] == free_at[0]);
    visited[g] = true;
    if (less64(now, free_at[g])) {
      now = free_at[g];
      last = g;
    }
  }
  for (var g = 0u; g < gpus; g++) {
    member[g] = g == last;
    room[g] = done_by(g, now);
  }
  for (var r = 0u; r < start_of(experts); r++) { flow[r] = 0; }

  // Sets are tried in one place, since every call is compiled into it: all GPUs, the last with what has no choice, and those that searches reach.
  var tried = 0u;
  var paths = 0u;
  var e = 0u;
  var left = 0;
  for (var steps = 0u; steps < MOVE_LIMIT; steps++) {
    if (tried == 1u) {
      last = 0u;
      for (var g = 1u; g < gpus; g++) { if (less64(done_at(last, held[last]), done_at(g, held[g]))) { last = g; } }
      for (var g = 0u; g < gpus; g++) { visited[g] = g == last; }
    } else if (tried > 1u) {
      while (left == 0 && e < experts) {
        left = need[e];
        e++;
      }
      if (left == 0) { return paths; }
      let end = search(e - 1u);
      if (end < gpus) {
        left -= augment(end, left);
        paths++;
        continue;
      }
    }
    raise_time();
    tried++;
  }
  return MOVE_LIMIT + 1u;
}
