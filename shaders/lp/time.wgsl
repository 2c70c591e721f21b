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

var<private> tokens: array<i32, MAX_EXPERTS>;  // loads of the experts with a choice
var<private> member: array<bool, MAX_GPUS>;    // S
var<private> start: array<i32, MAX_GPUS>;      // ticks of what has no choice
var<private> splits: array<i32, SPLITS * MAX_REPLICAS>;
var<private> split_time: array<vec2u, SPLITS>;
var<private> best: array<i32, MAX_REPLICAS>;
var<private> best_time: vec2u;
var<private> paths: u32;

fn keep(time_now: vec2u) {
  if (!less64(time_now, best_time)) { return; }
  best_time = time_now;
  for (var r = 0u; r < start_of(experts); r++) { best[r] = x[r]; }
}

fn single_load(p: u32, i: u32) -> i32 { return load[p * params.experts + topology[record + AT_SINGLE + i]]; }

/// When the GPUs are free for units of c(1): after what they do besides. Below 0 they cannot be: at equal speeds all are later by as much.
fn free_for_units(p: u32) {
  var least = 0;
  for (var g = 0u; g < gpus; g++) { least = min(least, base_units(p, g).y); }
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
fn solve_units(p: u32) {
  free_for_units(p);
  for (var g = 0u; g < gpus; g++) { alone[g] = 0; }
  for (var i = 0u; i < topology[record + AT_SINGLES]; i++) {
    alone[topology[record + at_single_gpu() + i]] += units_of(single_load(p, i));
  }
  for (var e = 0u; e < experts; e++) { need[e] = units_of(tokens[e]); }
  paths = route_all();
  for (var e = 0u; e < experts; e++) {
    var left = tokens[e];
    for (var r = start_of(e); r < start_of(e + 1u); r++) {
      x[r] = tokens_of(flow[r], left);
      left -= x[r];
    }
    x[start_of(e)] += left;  // none, unless it gave up
    for (var r = start_of(e); r < start_of(e + 1u); r++) { best[r] = x[r]; }
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

/// When the last GPU is done with `unit` ticks for each unit that it holds, and with `start`.
fn time_of_units(unit: i32) -> vec2u {
  var last = vec2u(0u);
  for (var g = 0u; g < gpus; g++) { last = larger64(last, done_time(g, start[g] + unit * held[g])); }
  return last;
}

/// Work had it been divisible: a bound, and its splits, 1 and 2. Returns its time; `member` is its proof.
fn solve_work() -> vec2u {
  for (var g = 0u; g < gpus; g++) {
    alone[g] = start[g];
    free_at[g] = vec2u(0u);
  }
  for (var e = 0u; e < experts; e++) { need[e] = work_of(tokens[e], start_of(e + 1u) - start_of(e)); }
  paths += route_all();
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
          let twice = add64(multiply64(u32(tokens[e]), u32(flow[r])), vec2u(u32(work) / 2u, 0u));
          share = min(left, i32(divide64(twice, u32(work))));
        }
      }
      splits[2u * MAX_REPLICAS + r] = share;
      left -= share;
    }
  }
  var last = vec2u(0u);
  for (var g = 0u; g < gpus; g++) { last = larger64(last, done_time(g, held[g])); }
  return last;
}

/// Splits 3 and 4.
fn split_tokens(p: u32) {
  for (var g = 0u; g < gpus; g++) { alone[g] = 0; }
  for (var i = 0u; i < topology[record + AT_SINGLES]; i++) {
    alone[topology[record + at_single_gpu() + i]] += single_load(p, i);
  }
  for (var e = 0u; e < experts; e++) { need[e] = tokens[e]; }
  route_all();
  for (var e = 0u; e < experts; e++) {
    let first = start_of(e);
    let copies = i32(start_of(e + 1u) - first);
    for (var i = 0; i < copies; i++) {
      splits[3u * MAX_REPLICAS + first + u32(i)] = flow[first + u32(i)];
      splits[4u * MAX_REPLICAS + first + u32(i)] = tokens[e] / copies + select(0, 1, i < tokens[e] % copies);
    }
  }
}

fn load_split(i: u32) {
  for (var r = 0u; r < start_of(experts); r++) { x[r] = splits[i * MAX_REPLICAS + r]; }
}

/// The general case, from split 0, which is x. Returns the steps.
fn improve(p: u32) -> u32 {
  start_ticks(p);
  var goal = time_of_units(unit_ticks());
  for (var i = 0u; i < topology[record + AT_SINGLES]; i++) {
    start[topology[record + at_single_gpu() + i]] += ticks_of(single_load(p, i));
  }
  begin_split();
  var last = hottest();
  split_time[0] = done_time(last, ticks[last]);
  best_time = split_time[0];
  if (!less64(goal, best_time)) { return 0u; }
  for (var r = 0u; r < start_of(experts); r++) { splits[r] = x[r]; }

  var by_units: array<bool, MAX_GPUS>;
  for (var g = 0u; g < gpus; g++) { by_units[g] = member[g]; }
  let work = solve_work();
  if (less64(goal, work)) {
    goal = work;
    for (var g = 0u; g < gpus; g++) { by_units[g] = member[g]; }
  }
  split_tokens(p);
  for (var g = 0u; g < gpus; g++) { member[g] = by_units[g]; }

  for (var i = 1u; i < SPLITS; i++) {
    load_split(i);
    begin_split();
    last = hottest();
    split_time[i] = done_time(last, ticks[last]);
    keep(split_time[i]);
  }
  var steps = 0u;
  for (var n = 0u; n < DESCENTS && less64(goal, best_time); n++) {
    var i = 0u;
    for (var k = 1u; k < SPLITS; k++) { if (less64(split_time[k], split_time[i])) { i = k; } }
    split_time[i] = vec2u(NONE);  // taken
    load_split(i);
    begin_split();
    steps += descend(goal);
    last = hottest();
    keep(done_time(last, ticks[last]));
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
  solve_units(p);
  var steps = 0u;
  let done = is_exact() || all_weigh_one(p);
  let proven = done && paths <= MOVE_LIMIT;
  if (!done) {
    set_ticks(p);
    steps = improve(p);
  }
  write_quotas(p);
  write_proof(p, select(GAP, OPTIMAL, proven), steps, paths);
}
