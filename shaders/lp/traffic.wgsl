// traffic: of all splits within caps, one of least traffic, with potentials as proof.
//
//   min sum d(s, g) f_sr   s.t.   sum_{r of e} f_sr = n_se,   sum_{r on g} f_sr <= cap_g
//
// Everybody begins at the nearest replica. While a GPU holds more than its cap, tokens are pushed along the cheapest path of exchanges, r to r' of the
// same expert, to a GPU with room; potentials y <= 0 move on by the lengths of the paths, so that no exchange becomes cheaper than 0, and y stays 0
// where there is room. All in whole steps of distance.                    [Busacker, Gowen 1961; Edmonds, Karp 1972; Bellman, Ford, Moore]
//
// Shapes    source_load: [B, S, E] u32.   cap: [B, G] i32, within which there is a split.   skip: [B] u32: where not 0, everything stays as it is.
//           table: see source_record.wgsl.   flow: [B, R, S] u32, scratch.   quota: [B, P] u32 and source_quota: [B, S, P] u32: left as they are
//           where it gives up.   proof: [B, 1 + G] i32: paths, or -1 where it gave up, then y in steps, a proof of a bound in either case.
// Bindings  group 0:  0 table   1 source_load   2 cap   3 skip   4 flow (out)   5 quota (out)   6 source_quota (out)   7 proof (out)   8 params.
// Launch    WG invocations per LP, grid [gx, gy, 1] folded so that gx * gy >= B.
// Workgroup 24 GPUS + 4 EXCHANGES + 4 REPLICAS + 24 bytes.
// Barriers  2 barriers and 2 uniform loads for each path, 2 and 1 in each round of its search; 1 barrier besides.
// Requires  steps at most 2^20 and G at most 1,024: lengths of paths stay below 2^31.
// Twin      src/lp/twins/traffic.ts, compared in test/lp/kernels/traffic.test.ts.
override GPUS: u32;       // at least G,
override REPLICAS: u32;   // R
override EXCHANGES: u32;  // and K
override WG: u32;
override PATHS: u32;      // beyond, it gives up

@group(0) @binding(0) var<storage, read> table: array<u32>;
@group(0) @binding(1) var<storage, read> source_load: array<u32>;
@group(0) @binding(2) var<storage, read> cap: array<i32>;
@group(0) @binding(3) var<storage, read> skip: array<u32>;
@group(0) @binding(4) var<storage, read_write> flow: array<u32>;
@group(0) @binding(5) var<storage, read_write> quota: array<u32>;
@group(0) @binding(6) var<storage, read_write> source_quota: array<u32>;
@group(0) @binding(7) var<storage, read_write> proof: array<i32>;
@group(0) @binding(8) var<uniform> params: SourceParams;

const NOWHERE = 0xffffffffu;

var<workgroup> wg_held: array<atomic<i32>, GPUS>;
var<workgroup> wg_y: array<i32, GPUS>;
var<workgroup> wg_reach: array<i32, GPUS>;     // from the GPUs that hold too much, in reduced steps
var<workgroup> wg_arrives: array<u32, GPUS>;   // the exchange by which a path arrives
var<workgroup> wg_added: array<i32, EXCHANGES>;  // the fewest steps that an exchange adds, over the sources that have tokens to exchange
var<workgroup> wg_changed: array<u32, REPLICAS>; // whether a replica's exchanges are to be looked at anew
var<workgroup> wg_next: array<i32, GPUS>;      // what a round finds, before all look at it
var<workgroup> wg_next_arrives: array<u32, GPUS>;
var<workgroup> wg_further: atomic<u32>;        // whether a round came further
var<workgroup> wg_over: atomic<u32>;           // GPUs that hold too much
var<workgroup> wg_nearest: i32;                // how far the nearest GPU with room is
var<workgroup> wg_paths: u32;
var<workgroup> wg_end: u32;                    // where the next path ends; NOWHERE: there is none to be pushed
var<workgroup> wg_more: u32;

var<private> lp: u32;
var<private> record: u32;

fn start_of(g: u32) -> u32 { return table[record + at_exchanges() + g]; }
fn leaves(k: u32) -> u32 { return table[record + at_exchanges() + params.gpus + 1u + k]; }
fn enters(k: u32) -> u32 { return table[record + at_exchanges() + params.gpus + 1u + params.exchanges + k]; }
fn flow_at(r: u32, s: u32) -> u32 { return (lp * params.replicas + r) * params.sources + s; }
fn cap_of(g: u32) -> i32 { return cap[lp * params.gpus + g]; }

/// Everybody at the nearest replica, of equals in turn by the source.
fn begin_nearest(lane: u32) {
  for (var e = lane; e < params.experts; e += WG) {
    let first = first_replica(record, e);
    let end = first_replica(record, e + 1u);
    for (var r = first; r < end; r++) {
      for (var s = 0u; s < params.sources; s++) { flow[flow_at(r, s)] = 0u; }
    }
    for (var s = 0u; s < params.sources && first < end; s++) {
      let tokens = source_load[(lp * params.sources + s) * params.experts + e];
      if (tokens == 0u) { continue; }
      var nearest = first + s % (end - first);
      for (var i = 1u; i < end - first; i++) {
        let r = first + (s + i) % (end - first);
        if (steps(s, gpu_of(record, r)) < steps(s, gpu_of(record, nearest))) { nearest = r; }
      }
      flow[flow_at(nearest, s)] = tokens;
      atomicAdd(&wg_held[gpu_of(record, nearest)], i32(tokens));
    }
  }
}

fn look_at_changed(lane: u32) {
  for (var k = lane; k < start_of(params.gpus); k += WG) {
    let r = leaves(k);
    if (wg_changed[r] == 0u) { continue; }
    let from_gpu = gpu_of(record, r);
    let to_gpu = gpu_of(record, enters(k));
    var least = NONE;
    for (var s = 0u; s < params.sources; s++) {
      if (flow[flow_at(r, s)] > 0u) { least = min(least, steps(s, to_gpu) - steps(s, from_gpu)); }
    }
    wg_added[k] = least;
  }
}

/// One round: each GPU looks whether it can be reached in fewer steps by way of what was reached before.
fn look_further(lane: u32) {
  for (var g = lane; g < params.gpus; g += WG) {
    var least = wg_reach[g];
    var arrives = wg_arrives[g];
    for (var k = start_of(g); k < start_of(g + 1u); k++) {
      let before = gpu_of(record, leaves(k));
      if (wg_reach[before] == NONE || wg_added[k] == NONE) { continue; }
      let length = wg_reach[before] + wg_added[k] + wg_y[before] - wg_y[g];
      if (length < least) {
        least = length;
        arrives = k;
      }
    }
    wg_next[g] = least;
    wg_next_arrives[g] = arrives;
  }
}

fn go_further(lane: u32) {
  for (var g = lane; g < params.gpus; g += WG) {
    if (wg_next[g] == wg_reach[g]) { continue; }
    wg_reach[g] = wg_next[g];
    wg_arrives[g] = wg_next_arrives[g];
    atomicStore(&wg_further, 1u);
  }
}

/// The nearest GPU with room, the first of equals. One lane.
fn find_end() {
  wg_end = NOWHERE;
  wg_nearest = NONE;
  for (var g = 0u; g < params.gpus; g++) {
    if (atomicLoad(&wg_held[g]) >= cap_of(g) || wg_reach[g] >= wg_nearest) { continue; }
    wg_nearest = wg_reach[g];
    wg_end = g;
  }
}

/// Pushes as many tokens as the path to `end` can carry, of all sources for whom each exchange is the cheapest. One lane.
fn push(end: u32) {
  var amount = cap_of(end) - atomicLoad(&wg_held[end]);
  var begin = end;
  for (var k = wg_arrives[end]; k != NOWHERE; k = wg_arrives[begin]) {
    let r = leaves(k);
    let here = gpu_of(record, r);
    var most = 0u;
    for (var s = 0u; s < params.sources; s++) {
      if (steps(s, begin) - steps(s, here) == wg_added[k]) { most += flow[flow_at(r, s)]; }
    }
    amount = min(amount, i32(most));
    begin = here;
  }
  amount = min(amount, atomicLoad(&wg_held[begin]) - cap_of(begin));
  atomicAdd(&wg_held[end], amount);
  atomicAdd(&wg_held[begin], -amount);
  var there = end;
  for (var k = wg_arrives[end]; k != NOWHERE; k = wg_arrives[there]) {
    let r = leaves(k);
    let other = enters(k);
    let here = gpu_of(record, r);
    var left = u32(amount);
    for (var s = 0u; left > 0u && s < params.sources; s++) {
      if (steps(s, there) - steps(s, here) != wg_added[k]) { continue; }
      let moved = min(left, flow[flow_at(r, s)]);
      flow[flow_at(r, s)] -= moved;
      flow[flow_at(other, s)] += moved;
      left -= moved;
    }
    wg_changed[r] = 1u;
    wg_changed[other] = 1u;
    there = here;
  }
}

fn write_quotas(lane: u32) {
  for (var slot = lane; slot < params.slots; slot += WG) {
    let r = replica_of(record, slot);
    if (r == IDLE_SLOT) { continue; }
    var all = 0u;
    for (var s = 0u; s < params.sources; s++) {
      let tokens = flow[flow_at(r, s)];
      let copies = copies_of(record, r);
      let here = tokens / copies + select(0u, 1u, ordinal_of(record, slot) < tokens % copies);
      source_quota[(lp * params.sources + s) * params.slots + slot] = here;
      all += here;
    }
    quota[lp * params.slots + slot] = all;
  }
}

@compute @workgroup_size(WG)
fn traffic(
  @builtin(workgroup_id) wg: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = wg.y * grid.x + wg.x;
  if (p >= params.batch) { return; }  // uniform over the workgroup, and so is the next
  if (params.has_skip != 0u && skip[p] != 0u) { return; }
  lp = p;
  record = record_of(p);

  for (var r = lane; r < REPLICAS; r += WG) { wg_changed[r] = 1u; }
  begin_nearest(lane);  // all of workgroup memory begins at 0
  storageBarrier();
  workgroupBarrier();

  loop {
    look_at_changed(lane);
    for (var g = lane; g < params.gpus; g += WG) {
      let over = atomicLoad(&wg_held[g]) > cap_of(g);
      wg_reach[g] = select(NONE, 0, over);
      wg_arrives[g] = NOWHERE;
      if (over) { atomicAdd(&wg_over, 1u); }
    }
    workgroupBarrier();
    for (var r = lane; r < REPLICAS; r += WG) { wg_changed[r] = 0u; }
    if (lane == 0u) { wg_end = select(NOWHERE, 0u, atomicLoad(&wg_over) > 0u && wg_paths < PATHS); }
    if (workgroupUniformLoad(&wg_end) == NOWHERE) { break; }

    loop {
      look_further(lane);
      workgroupBarrier();
      go_further(lane);
      workgroupBarrier();
      if (lane == 0u) { wg_more = atomicExchange(&wg_further, 0u); }
      if (workgroupUniformLoad(&wg_more) == 0u) { break; }
    }
    if (lane == 0u) { find_end(); }
    if (workgroupUniformLoad(&wg_end) == NOWHERE) { break; }

    for (var g = lane; g < params.gpus; g += WG) { wg_y[g] += min(wg_reach[g], wg_nearest) - wg_nearest; }
    if (lane == 0u) {
      push(wg_end);
      wg_paths++;
      atomicStore(&wg_over, 0u);
    }
    storageBarrier();
    workgroupBarrier();
  }

  let complete = atomicLoad(&wg_over) == 0u;
  if (complete) { write_quotas(lane); }
  for (var g = lane; g < params.gpus; g += WG) { proof[lp * (1u + params.gpus) + 1u + g] = wg_y[g]; }
  if (lane == 0u) { proof[lp * (1u + params.gpus)] = select(-1, i32(wg_paths), complete); }
}
