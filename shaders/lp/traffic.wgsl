// traffic: of all splits within caps, one of least traffic, with potentials as proof.
//
//   min sum d(s, g) f_sr   s.t.   sum_{r of e} f_sr = n_se,   sum_{r on g} f_sr <= cap_g
//
// Everybody begins at the nearest replica. While a GPU holds more than its cap, tokens are pushed along the cheapest path of exchanges, r to r' of the
// same expert, to a GPU with room; potentials y <= 0 move on by the lengths of the paths, so that no exchange becomes cheaper than 0, and y stays 0
// where there is room. All in whole steps of distance.                    [Busacker, Gowen 1961; Edmonds, Karp 1972; Bellman, Ford, Moore]
//
// The lanes have GPUs when they search, sources when they push. Ties go by fixed orders, and atomics only add and compare whole numbers: the same input
// gives the same output on every device.
//
// Shapes    source_load: [B, S, E] u32.   cap: [B, G] i32, within which there is a split.   skip: [B] u32: where not 0, everything stays as it is.
//           table: see source_record.wgsl.   flow: [B, R, S] u32, scratch.   quota: [B, P] u32 and source_quota: [B, S, P] u32: left as they are
//           where it gives up.   proof: [B, 1 + G] i32: paths, or -1 where it gave up, then y in steps, a proof of a bound in either case.
// Bindings  group 0:  0 table   1 source_load   2 cap   3 skip   4 flow (out)   5 quota (out)   6 source_quota (out)   7 proof (out)   8 params.
// Launch    WG invocations per LP, grid [gx, gy, 1] folded so that gx * gy >= B.
// Workgroup 24 GPUS + 4 EXCHANGES + 4 WG + 8 bytes.
// Barriers  9 barriers per path, 3 in each round of its search, and 5 for each exchange of it; a uniform load has 2 of them.
// Requires  steps at most 2^20 and G at most 1,024: lengths of paths stay below 2^31.
// Twin      src/lp/twins/traffic.ts, compared in test/lp/kernels/traffic.test.ts.
override GPUS: u32;       // at least G,
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
const FURTHER = 0u;  // a round came further; otherwise a distance and 1

var<workgroup> wg_room: array<atomic<i32>, GPUS>;        // below the cap; less than 0: it holds too much
var<workgroup> wg_y: array<i32, GPUS>;
var<workgroup> wg_reach: array<u32, 2u * GPUS>;          // from the GPUs that hold too much, in reduced steps: of the last round, and of this
var<workgroup> wg_arrives: array<u32, GPUS>;             // the exchange by which a path arrives,
var<workgroup> wg_carried: array<atomic<i32>, GPUS>;     // and the tokens for whom it is the cheapest
var<workgroup> wg_added: array<atomic<i32>, EXCHANGES>;  // the fewest steps that an exchange adds, over the sources that have tokens to exchange
var<workgroup> wg_own: array<u32, WG>;
var<workgroup> wg_lowest: atomic<u32>;
var<workgroup> wg_result: u32;

/// An LP, and its topology's record.
struct Lp {
  p: u32,
  record: u32,
}

fn start_of(lp: Lp, g: u32) -> u32 { return table[lp.record + at_exchanges() + g]; }
fn leaves(lp: Lp, k: u32) -> u32 { return table[lp.record + at_exchanges() + params.gpus + 1u + k]; }
fn enters(lp: Lp, k: u32) -> u32 { return table[lp.record + at_exchanges() + params.gpus + 1u + params.exchanges + k]; }
fn left_gpu(lp: Lp, k: u32) -> u32 { return gpu_of(lp.record, leaves(lp, k)); }
fn flow_at(lp: Lp, r: u32, s: u32) -> u32 { return (lp.p * params.replicas + r) * params.sources + s; }

/// What exchange k adds for a token of source s.
fn more(lp: Lp, k: u32, s: u32) -> i32 {
  return steps_to(gpu_of(lp.record, enters(lp, k)), s) - steps_to(left_gpu(lp, k), s);
}

/// The least of what the lanes have, the same in all of them.
fn least_of(own: u32, lane: u32) -> u32 {
  atomicMin(&wg_lowest, own);
  workgroupBarrier();
  if (lane == 0u) { wg_result = atomicExchange(&wg_lowest, NOWHERE); }
  return workgroupUniformLoad(&wg_result);
}

/// Everybody at the nearest replica, in equal parts at those that are equally near.
fn begin_nearest(lp: Lp, lane: u32) {
  for (var e = lane; e < params.experts; e += WG) {
    let first = first_replica(lp.record, e);
    let end = first_replica(lp.record, e + 1u);
    for (var s = 0u; s < params.sources && first < end; s++) {
      var least = NONE;
      var near = 0u;
      for (var r = first; r < end; r++) {
        let here = steps(s, gpu_of(lp.record, r));
        near = select(near, 0u, here < least) + select(0u, 1u, here <= least);
        least = min(least, here);
      }
      let tokens = source_load[(lp.p * params.sources + s) * params.experts + e];
      var turn = (s + e) % near;  // whose is the first token that cannot be divided
      for (var r = first; r < end; r++) {
        let g = gpu_of(lp.record, r);
        var part = 0u;
        if (steps(s, g) == least) {
          part = tokens / near + select(0u, 1u, turn < tokens % near);
          turn = (turn + 1u) % near;
          atomicSub(&wg_room[g], i32(part));
        }
        flow[flow_at(lp, r, s)] = part;
      }
    }
  }
}

fn begin(lp: Lp, lane: u32) {
  for (var g = lane; g < params.gpus; g += WG) { atomicStore(&wg_room[g], cap[lp.p * params.gpus + g]); }
  if (lane == 0u) { atomicStore(&wg_lowest, NOWHERE); }
  workgroupBarrier();
  begin_nearest(lp, lane);
  let all = start_of(lp, params.gpus);
  for (var k = lane; k < all; k += WG) { atomicStore(&wg_added[k], NONE); }
  storageBarrier();
  workgroupBarrier();
  for (var i = lane; i < all * params.sources; i += WG) { look_at(lp, i / params.sources, i % params.sources); }
}

/// Whether source s has tokens to exchange by k, in how few steps.
fn look_at(lp: Lp, k: u32, s: u32) {
  if (flow[flow_at(lp, leaves(lp, k), s)] > 0u) { atomicMin(&wg_added[k], more(lp, k, s)); }
}

/// Begins a search at the GPUs that hold too much; whether there are any.
fn begin_search(lane: u32) -> bool {
  var within = 1u;
  for (var g = lane; g < params.gpus; g += WG) {
    let over = atomicLoad(&wg_room[g]) < 0;
    wg_reach[g] = select(NOWHERE, 0u, over);
    wg_arrives[g] = NOWHERE;
    atomicStore(&wg_carried[g], 0);
    within = select(within, 0u, over);
  }
  return least_of(within, lane) == 0u;
}

/// Rounds, each of which looks whether GPUs can be reached in fewer steps by way of what was reached before. Returns how far the nearest GPU with room
/// is, or NOWHERE.
fn search(lp: Lp, lane: u32) -> u32 {
  var last = 0u;
  var beyond = FURTHER;
  loop {
    var further = false;
    var nearest = NOWHERE;
    for (var g = lane; g < params.gpus; g += WG) {
      var least = wg_reach[last + g];
      for (var k = start_of(lp, g); k < start_of(lp, g + 1u); k++) {
        let before = left_gpu(lp, k);
        let added = atomicLoad(&wg_added[k]);
        if (wg_reach[last + before] == NOWHERE || added == NONE) { continue; }
        let length = wg_reach[last + before] + u32(added + wg_y[before] - wg_y[g]);
        if (length >= least) { continue; }
        least = length;
        wg_arrives[g] = k;
        further = true;
      }
      wg_reach[GPUS - last + g] = least;
      if (atomicLoad(&wg_room[g]) > 0) { nearest = min(nearest, least); }
    }
    last = GPUS - last;
    beyond = least_of(select(min(nearest, NOWHERE - 1u) + 1u, FURTHER, further), lane);
    if (beyond != FURTHER) { break; }
  }
  return select(beyond - 1u, NOWHERE, beyond == NOWHERE);
}

/// Moves the potentials on, and returns the first GPU with room that is so near.
fn move_on(nearest: u32, lane: u32) -> u32 {
  var end = NOWHERE;
  for (var g = lane; g < params.gpus; g += WG) {
    wg_y[g] -= i32(nearest - min(wg_reach[g], nearest));
    if (wg_reach[g] == nearest && atomicLoad(&wg_room[g]) > 0) { end = min(end, g); }
  }
  return least_of(end, lane);
}

/// Tokens of this lane's sources for whom exchange k is the cheapest.
fn own_tokens(lp: Lp, k: u32, lane: u32) -> u32 {
  var own = 0u;
  for (var s = lane; s < params.sources; s += WG) {
    if (more(lp, k, s) == atomicLoad(&wg_added[k])) { own += flow[flow_at(lp, leaves(lp, k), s)]; }
  }
  return own;
}

/// As many tokens as the path to `end` can carry, of all sources for whom each exchange is the cheapest, and where it begins. Every lane walks along it.
fn amount_to(lp: Lp, end: u32, lane: u32) -> Amount {
  for (var g = end; wg_arrives[g] != NOWHERE; g = left_gpu(lp, wg_arrives[g])) {
    let own = own_tokens(lp, wg_arrives[g], lane);
    if (own > 0u) { atomicAdd(&wg_carried[g], i32(own)); }
  }
  workgroupBarrier();
  var amount = atomicLoad(&wg_room[end]);
  var begin = end;
  for (; wg_arrives[begin] != NOWHERE; begin = left_gpu(lp, wg_arrives[begin])) {
    amount = min(amount, atomicLoad(&wg_carried[begin]));
  }
  return Amount(min(amount, -atomicLoad(&wg_room[begin])), begin);
}

struct Amount {
  tokens: i32,
  begin: u32,
}

/// What exchange k carries: tokens leave their sources in order of lanes.
fn exchange(lp: Lp, k: u32, amount: u32, lane: u32) {
  wg_own[lane] = own_tokens(lp, k, lane);
  workgroupBarrier();
  var before = 0u;
  for (var i = 0u; i < lane; i++) { before += wg_own[i]; }
  var left = amount - min(amount, before);
  for (var s = lane; s < params.sources && left > 0u; s += WG) {
    if (more(lp, k, s) != atomicLoad(&wg_added[k])) { continue; }
    let moved = min(left, flow[flow_at(lp, leaves(lp, k), s)]);
    flow[flow_at(lp, leaves(lp, k), s)] -= moved;
    flow[flow_at(lp, enters(lp, k), s)] += moved;
    left -= moved;
  }
}

/// Looks anew at the exchanges that leave a replica: first they are nobody's.
fn look_from(lp: Lp, r: u32, forget: bool, lane: u32) {
  let at = lp.record + at_leaving();
  let first = table[at + r];
  let count = table[at + r + 1u] - first;
  let list = at + params.replicas + 1u + first;
  if (forget) {
    for (var i = lane; i < count; i += WG) { atomicStore(&wg_added[table[list + i]], NONE); }
    return;
  }
  for (var i = lane; i < count * params.sources; i += WG) {
    look_at(lp, table[list + i / params.sources], i % params.sources);
  }
}

/// Pushes along the path that came to `end`, from there on back.
fn push(lp: Lp, end: u32, lane: u32) {
  let amount = amount_to(lp, end, lane);
  var g = end;
  loop {
    let k = workgroupUniformLoad(&wg_arrives[g]);
    if (k == NOWHERE) { break; }
    if (lane == 0u && g == end) {  // once, after all lanes have looked
      atomicSub(&wg_room[end], amount.tokens);
      atomicAdd(&wg_room[amount.begin], amount.tokens);
    }
    exchange(lp, k, u32(amount.tokens), lane);
    storageBarrier();
    look_from(lp, leaves(lp, k), true, lane);
    look_from(lp, enters(lp, k), true, lane);
    workgroupBarrier();
    look_from(lp, leaves(lp, k), false, lane);
    look_from(lp, enters(lp, k), false, lane);
    g = left_gpu(lp, k);
  }
}

fn write_quotas(lp: Lp, lane: u32) {
  for (var slot = lane; slot < params.slots; slot += WG) {
    let r = replica_of(lp.record, slot);
    if (r == IDLE_SLOT) { continue; }
    let copies = copies_of(lp.record, r);
    var all = 0u;
    for (var s = 0u; s < params.sources; s++) {
      let tokens = flow[flow_at(lp, r, s)];
      let here = tokens / copies + select(0u, 1u, ordinal_of(lp.record, slot) < tokens % copies);
      source_quota[(lp.p * params.sources + s) * params.slots + slot] = here;
      all += here;
    }
    quota[lp.p * params.slots + slot] = all;
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
  let lp = Lp(p, record_of(p));
  begin(lp, lane);  // all of workgroup memory begins at 0

  var paths = 0;
  var complete = false;
  loop {
    complete = !begin_search(lane);
    if (complete || u32(paths) == PATHS) { break; }
    let nearest = search(lp, lane);
    if (nearest == NOWHERE) { break; }
    push(lp, move_on(nearest, lane), lane);
    paths++;
  }
  if (complete) { write_quotas(lp, lane); }
  for (var g = lane; g < params.gpus; g += WG) { proof[p * (1u + params.gpus) + 1u + g] = wg_y[g]; }
  if (lane == 0u) { proof[p * (1u + params.gpus)] = select(-1, paths, complete); }
}
