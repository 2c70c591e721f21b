// time: balances the time of whole tokens, one LP per invocation, where a curve c says what an expert's tokens cost a GPU.
//
//   min max_g ( b_g + sum_{r on g} c(x_r) ) / v_g   s.t.   sum_{r of e} x_r = w_e,  x whole and >= 0
//
// Exactly where c comes in units (unit_flow.wgsl). Otherwise down from the best of five splits (descent.wgsl), to the larger of two bounds: the least time
// of the activated experts, each a unit of c(1), or that of what the experts cost whole, had it been divisible. S proves it: src/lp/time says how.
//
// Shapes    load: [B, E] i32 tokens >= 0.   base: [B, G] f32 in the caller's time.   quota: [B, P] i32.   curve: as src/lp/kernels/cost_table.ts writes it.
//           topology: [topologies, stride] u32 records of the living GPUs, every slot a replica of its own; LP p uses record p % topologies.
//           skip: [B] u32: where not 0, the LP's quotas and proof stay as they are.
//           proof: [B, 3 + ceil(G / 32)] u32: status (optimal only where c comes in units or no expert weighs more than one), steps, paths, S as a bit set.
// Bindings  group 0:  0 topology   1 load   2 base   3 skip   4 curve   5 quota (out)   6 proof (out)   7 params.
// Launch    WG invocations per workgroup, grid [gx, gy, 1] folded so that gx * gy * WG >= B. No barriers, no workgroup memory.
// Traffic   4 (E + P + G + 3 + ceil(G / 32)) bytes per LP: 4 G of it for base loads, where there are any; 4 more where `skip` is read. The topology
//           record and the curve come from the cache.
// Requires  sum(load) <= 2^31 - 1 for each LP. At unequal speeds base loads >= 0: negative ones are taken for 0.
// Declared by src/lp/kernels/time.ts: MAX_GPUS, MAX_REPLICAS.
// Twin      src/lp/twins/time.ts, compared in test/lp/kernels/time.test.ts.
override EQUAL_SPEEDS: bool;  // every v_g is 1
override WG: u32;             // invocations per workgroup

@group(0) @binding(0) var<storage, read> topology: array<u32>;
@group(0) @binding(1) var<storage, read> load: array<i32>;
@group(0) @binding(2) var<storage, read> base: array<u32>;
@group(0) @binding(3) var<storage, read> skip: array<u32>;
@group(0) @binding(4) var<storage, read> curve: array<u32>;
@group(0) @binding(5) var<storage, read_write> quota: array<i32>;
@group(0) @binding(6) var<storage, read_write> proof: array<u32>;
@group(0) @binding(7) var<uniform> params: Params;

const SPLITS = 5u;    // units, whole work, shares of work, token-optimal, even
const DESCENTS = 2u;  // from so many of the best

// What is done, in this order, each kind in one place, since every call is compiled into it.
const FLOW_UNITS = 0u;
const VALUE_UNITS = 1u;
const FLOW_WORK = 2u;
const FLOW_TOKENS = 3u;
const VALUE_OTHERS = 4u;                     // four
const DESCEND = VALUE_OTHERS + SPLITS - 1u;
const TASKS = DESCEND + DESCENTS;

var<private> tokens: array<i32, MAX_EXPERTS>;  // loads of the experts with a choice
var<private> member: array<bool, MAX_GPUS>;    // S
var<private> start: array<i32, MAX_GPUS>;      // ticks of what has no choice
var<private> splits: array<i32, SPLITS * MAX_REPLICAS>;
var<private> split_time: array<vec2u, SPLITS>;
var<private> best: array<i32, MAX_REPLICAS>;
var<private> best_time: vec2u;
var<private> goal: vec2u;                          // the bound
var<private> proven: array<bool, MAX_GPUS>;        // its set
var<private> paths: u32;
var<private> gave_up: bool;

fn single_load(p: u32, i: u32) -> i32 { return load[p * params.experts + topology[record + AT_SINGLE + i]]; }

/// When the GPUs are free for units of c(1): after what they do besides. Below 0 they cannot be: at equal speeds all are later by as much.
fn free_for_units(p: u32) {
  var least = 0;
  for (var g = 0u; g < gpus; g++) {
    let whole = base_units(p, g).y;
    least = min(least, whole);
    if (abs(whole) >= MOST_UNITS || (!EQUAL_SPEEDS && whole < 0)) { gave_up = true; }  // a time that is not read as it is proves nothing
  }
  for (var g = 0u; g < gpus; g++) {
    let besides = base_units(p, g);
    if (EQUAL_SPEEDS) {
      free_at[g] = vec2u(bitcast<u32>(besides.x), u32(besides.y - least));
    } else {
      let fraction = multiply64(bitcast<u32>(besides.x), pace(g)).y;
      free_at[g] = add64(multiply64(u32(max(besides.y, 0)), pace(g)), vec2u(select(0u, fraction, besides.y >= 0), 0u));
    }
  }
}

/// Units of c(1): split 0, exact where c comes in them.
fn ask_units(p: u32) {
  free_for_units(p);
  for (var i = 0u; i < topology[record + AT_SINGLES]; i++) {
    alone[topology[record + at_single_gpu() + i]] += units_of(single_load(p, i));
  }
  for (var e = 0u; e < experts; e++) { need[e] = units_of(tokens[e]); }
}

fn take_units() {
  for (var e = 0u; e < experts; e++) {
    var left = tokens[e];
    for (var r = start_of(e); r < start_of(e + 1u); r++) {
      splits[r] = tokens_of(flow[r], left);
      left -= splits[r];
    }
    splits[start_of(e)] += left;  // none, unless it gave up
  }
}

fn all_weigh_one(p: u32) -> bool {
  for (var e = 0u; e < experts; e++) { if (!weighs_one(tokens[e])) { return false; } }
  for (var i = 0u; i < topology[record + AT_SINGLES]; i++) { if (!weighs_one(single_load(p, i))) { return false; } }
  return true;
}

/// Ticks that GPUs spend on what has no choice, at least 0.
fn start_ticks(p: u32) {
  var least = 0;
  for (var g = 0u; g < gpus; g++) {
    start[g] = base_ticks(p, g);
    least = min(least, start[g]);
  }
  for (var g = 0u; g < gpus; g++) {
    if (EQUAL_SPEEDS) { start[g] -= least; } else { start[g] = max(start[g], 0); }
  }
}

/// When the last GPU is done with `unit` ticks for each unit that it holds, and with what it does besides.
fn time_of_units(unit: i32) -> vec2u {
  var last = vec2u(0u);
  for (var g = 0u; g < gpus; g++) { last = larger64(last, done_time(g, start[g] + unit * held[g])); }
  return last;
}

/// Work had it been divisible: a bound, and splits 1 and 2 of it.
fn ask_work() {
  for (var g = 0u; g < gpus; g++) { alone[g] = start[g]; }
  for (var e = 0u; e < experts; e++) { need[e] = work_of(tokens[e], start_of(e + 1u) - start_of(e)); }
}

fn take_work() {
  for (var e = 0u; e < experts; e++) {
    let end = start_of(e + 1u);
    var most = start_of(e);
    var work = 0;
    for (var r = start_of(e); r < end; r++) {
      if (flow[r] > flow[most]) { most = r; }
      work += flow[r];
    }
    var left = tokens[e];
    for (var r = start_of(e); r < end; r++) {
      splits[MAX_REPLICAS + r] = select(0, tokens[e], r == most);
      var share = left;
      if (r + 1u < end) {
        share = 0;
        if (work > 0) {
          let rounding = add64(multiply64(u32(tokens[e]), u32(flow[r])), vec2u(u32(work) / 2u, 0u));
          share = min(left, i32(divide64(rounding, u32(work))));
        }
      }
      splits[2u * MAX_REPLICAS + r] = share;
      left -= share;
    }
  }
}

/// Tokens: splits 3, and 4 without a flow.
fn ask_tokens(p: u32) {
  for (var i = 0u; i < topology[record + AT_SINGLES]; i++) {
    alone[topology[record + at_single_gpu() + i]] += single_load(p, i);
  }
  for (var e = 0u; e < experts; e++) { need[e] = tokens[e]; }
}

fn take_tokens() {
  for (var e = 0u; e < experts; e++) {
    let first = start_of(e);
    let copies = i32(start_of(e + 1u) - first);
    var left = tokens[e];
    for (var i = copies - 1; i >= 0; i--) {
      left -= flow[first + u32(i)];
      splits[3u * MAX_REPLICAS + first + u32(i)] = flow[first + u32(i)] + select(0, left, i == 0);  // none is left, unless it gave up
      splits[4u * MAX_REPLICAS + first + u32(i)] = tokens[e] / copies + select(0, 1, i < tokens[e] % copies);
    }
  }
}

fn ask(p: u32, task: u32) {
  for (var g = 0u; g < gpus; g++) {
    alone[g] = 0;
    free_at[g] = vec2u(0u);
  }
  if (task == FLOW_UNITS) { ask_units(p); } else if (task == FLOW_WORK) { ask_work(); } else { ask_tokens(p); }
}

/// Makes splits of a flow, and of the first two a bound, the larger of which `proven` is the set of. Returns whether split 0 is known to be optimal.
fn take(p: u32, task: u32) -> bool {
  if (task == FLOW_TOKENS) {
    take_tokens();
    return false;
  }
  if (task == FLOW_UNITS) {
    take_units();
    for (var g = 0u; g < gpus; g++) { proven[g] = member[g]; }
    if (is_exact() || all_weigh_one(p)) { return true; }
    set_ticks(p);
    start_ticks(p);
    goal = time_of_units(unit_ticks());
    for (var i = 0u; i < topology[record + AT_SINGLES]; i++) {
      start[topology[record + at_single_gpu() + i]] += ticks_of(single_load(p, i));
    }
    return false;
  }
  take_work();
  var bound = vec2u(0u);
  for (var g = 0u; g < gpus; g++) { bound = larger64(bound, done_time(g, held[g])); }
  if (less64(goal, bound)) {
    if (!may_split()) { goal = bound; }  // else what stands for the work is no bound, and the descents go on
    for (var g = 0u; g < gpus; g++) { proven[g] = member[g]; }
  }
  return false;
}

/// The best split that was not descended from yet.
fn next_split() -> u32 {
  var i = 0u;
  for (var k = 1u; k < SPLITS; k++) { if (less64(split_time[k], split_time[i])) { i = k; } }
  split_time[i] = vec2u(NONE);  // taken
  return i;
}

/// Returns the steps of all descents, or NONE where none was needed: the split of units is optimal.
fn solve(p: u32) -> u32 {
  var steps = 0u;
  best_time = vec2u(NONE);
  for (var task = FLOW_UNITS; task < TASKS; task++) {
    if (task == FLOW_UNITS || task == FLOW_WORK || task == FLOW_TOKENS) {
      ask(p, task);
      let routed = route_all();
      gave_up = gave_up || (task == FLOW_UNITS && routed > MOVE_LIMIT);
      if (task != FLOW_TOKENS) { paths += routed; }
      if (!take(p, task)) { continue; }
      for (var r = 0u; r < start_of(experts); r++) { best[r] = splits[r]; }
      return NONE;
    }
    var split = 0u;
    if (task >= DESCEND) { split = next_split(); } else if (task >= VALUE_OTHERS) { split = task - VALUE_OTHERS + 1u; }
    for (var r = 0u; r < start_of(experts); r++) { x[r] = splits[split * MAX_REPLICAS + r]; }
    begin_split();
    if (task >= DESCEND) { steps += descend(goal); }
    let last = hottest();
    let done = done_time(last, ticks[last]);
    if (task < DESCEND) { split_time[split] = done; }
    if (less64(done, best_time)) {
      best_time = done;
      for (var r = 0u; r < start_of(experts); r++) { best[r] = x[r]; }
    }
    let closed = !less64(goal, best_time);
    if (closed && (task == VALUE_UNITS || task + 1u >= DESCEND)) { return steps; }
  }
  return steps;
}

fn write_quotas(p: u32) {
  for (var slot = 0u; slot < params.slots; slot++) {
    let source = topology[record + at_slot() + slot];
    var amount = 0;
    if (source != IDLE_SLOT) {
      if (source >= MAX_REPLICAS) { amount = single_load(p, source - MAX_REPLICAS); } else { amount = best[source]; }
    }
    quota[p * params.slots + slot] = amount;
  }
}

@compute @workgroup_size(WG)
fn time(
  @builtin(workgroup_id) wg: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let p = (wg.y * grid.x + wg.x) * WG + local;
  if (p >= params.batch) { return; }
  if (params.has_skip != 0u && skip[p] != 0u) { return; }

  find_record(p);
  for (var e = 0u; e < experts; e++) { tokens[e] = load[p * params.experts + topology[record + AT_EXPERT + e]]; }
  let steps = solve(p);
  write_quotas(p);
  for (var g = 0u; g < gpus; g++) { member[g] = proven[g]; }
  write_proof(p, select(GAP, OPTIMAL, steps == NONE && !gave_up), select(steps, 0u, steps == NONE), paths);
}
