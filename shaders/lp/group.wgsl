// group: the LPs of `solve`, one LP per workgroup or subgroup: for many GPUs, and for the latency of a single LP.
//
//   min t   s.t.   sum_{r of e} x_r = w_e,   b_g + sum_{r on g} x_r <= v_g t,   x >= 0
//
// An interior point in f32 (group_interior_point.wgsl) whose Newton systems follow the recorded fill pattern of the placement
// (group_elimination.wgsl) gives x and a cut S that bounds t; x is rounded to whole tokens, which move in i32 until max load equals
// the bound of S exactly (group_finish.wgsl). GPUs without a replica of an expert that has several are *fixed*: only the
// hottest of them bounds t, so they are one place together.                       [src/lp/group_form.ts, src/lp/elimination.ts]
//
// Shapes    load: [B, E] i32 tokens >= 0.   base: [B, G] i32 of any sign.   quota: [B, P] i32.
//           topology: [topologies, stride] u32 records of the living GPUs as src/lp/kernels/group_table.ts writes them; LP p uses record p % topologies.
//           skip: [B] u32: where not 0, the LP's quotas and proof stay as they are.
//           proof: [B, 3 + ceil(G / 32)] u32: status, iterations, moves, then S as a bit set.
// Bindings  group 0:  0 topology   1 load   2 base   3 skip   4 quota (out)   5 proof (out)   6 params.
// Launch    WG invocations per LP, grid [gx, gy, 1] folded so that gx * gy >= B. Subgroup variant: WG is the subgroup size of the device.
// Workgroup 52 MAX_GPUS + 26 MAX_REPLICAS + 8 MAX_ENTRIES + 32 WG + 272 bytes, with subgroups 64 for the last two terms: 13,328 for EP320 with
//           64 redundant experts, 7,824 for EP144 with 32 (src/lp/kernels/group.ts checks it). All of an LP's state is there: what a
//           lane keeps to itself would be indexed dynamically as well, which registers cannot be.
// Private   about 60 scalars per lane, in registers.
// Barriers  4 S + 9 per iteration for S stages of the elimination, 4 S + 2 with subgroups; S is 1 or 2 for EP144 and EP320, 3 for EP64 with 64
//           redundant experts. Once per LP S + 22 (S + 12), and 3 for each raise of the bound; with unequal speeds those of
//           group_finish.wgsl more.
// Traffic   4 (E + P + G + 3 + ceil(G / 32)) bytes per LP: 4 G of it for base loads, where there are any; 4 more where `skip` is read.
//           The record, 10 to 17 KB for these, is read in every iteration and stays in the cache.
// Requires  sum(load) + sum(|base|) <= 2^31 - 1 for each LP. src/lp/problem.ts checks it.
// Declared by src/lp/kernels/group.ts: MAX_GPUS (places), MAX_REPLICAS, MAX_ENTRIES (of the factor).
// Twin      src/lp/twins/group.ts (f64), compared in test/lp/kernels/group.test.ts.
override EQUAL_SPEEDS: bool;  // every v_g is 1: times are token counts
override WG: u32;             // invocations per LP; without subgroups a multiple of GATHERERS

const MAX_EXPERTS = MAX_REPLICAS / 2u;  // only experts with two replicas or more are variables

@group(0) @binding(0) var<storage, read> topology: array<u32>;
@group(0) @binding(1) var<storage, read> load: array<i32>;
@group(0) @binding(2) var<storage, read> base: array<i32>;
@group(0) @binding(3) var<storage, read> skip: array<u32>;
@group(0) @binding(4) var<storage, read_write> quota: array<i32>;
@group(0) @binding(5) var<storage, read_write> proof: array<u32>;
@group(0) @binding(6) var<uniform> params: Params;

// Parts of a topology record. Rows are places, then fixed GPUs. Lists of any length stand at its end, by where they start in it.
const AT_PLACES = 0u;                                 // GPUs of the LP, in order of elimination
const AT_ROWS = 1u;                                   // places and fixed GPUs
const AT_FIXED = 2u;                                  // 1: place 0 stands for the hottest of the fixed GPUs
const AT_EXPERTS = 3u;                                // experts with a choice of replica
const AT_STAGES = 4u;
const AT_STAGE = 5u;                                  // first task of each stage
const AT_TASK = AT_STAGE + MAX_GPUS + 1u;             // first place of each task
const AT_COLUMN = AT_TASK + MAX_GPUS + 1u;            // first entry of each column of the factor
const AT_ROW = AT_COLUMN + MAX_GPUS + 1u;             // list of each row: entry | its column's place << 16
const AT_ON_GPU = AT_ROW + MAX_GPUS + 1u;             // list of the replicas on each place
const AT_REACH = AT_ON_GPU + MAX_GPUS + 1u;           // row of each entry, a place
const AT_PAIRS = AT_REACH + MAX_ENTRIES;              // list of the pairs of replicas that weigh on each entry: one | other << 16
const AT_UPDATES = AT_PAIRS + MAX_ENTRIES + 1u;       // list of the updates of each entry: entry of l | entry of W << 16
const AT_EXPERT = AT_UPDATES + MAX_ENTRIES + 1u;      // load column of each expert with a choice
const AT_START = AT_EXPERT + MAX_EXPERTS;             // its first replica
const AT_GPU = AT_START + MAX_EXPERTS + 1u;           // place of each replica
const AT_OWNER = AT_GPU + MAX_REPLICAS;               // expert of each replica
const AT_LABEL = AT_OWNER + MAX_REPLICAS;             // the caller's GPU of each row
fn at_speed() -> u32 { return AT_LABEL + params.gpus + 1u; }         // f32 bits of each row; mean 1 over the places
fn at_pace() -> u32 { return at_speed() + params.gpus + 1u; }        // time of one token on each row, u32
fn at_singles() -> u32 { return at_pace() + params.gpus + 1u; }      // list of each row: load columns of experts without a choice
fn at_place() -> u32 { return at_singles() + params.gpus + 2u; }     // place of the caller's GPUs; FIXED_GPU where it has none, or is dead
fn at_slot() -> u32 { return at_place() + params.gpus; }             // replica of each slot, MAX_REPLICAS + load column, or IDLE_SLOT
fn at_share() -> u32 { return at_slot() + params.slots; }            // ordinal among the replica's slots, their number << 16

const FIXED_GPU = 0xffffffffu;

var<private> record: u32;   // where this LP's topology record starts
var<private> places: u32;
var<private> fixed: u32;    // also the first place that is a GPU itself
var<private> experts: u32;  // experts with a choice of replica

var<workgroup> wg_tokens: array<i32, MAX_EXPERTS>;  // their loads
var<workgroup> wg_kept: array<i32, MAX_REPLICAS>;   // whole tokens of each replica
var<workgroup> wg_held: array<i32, MAX_GPUS>;       // on each place: at first those that have no choice
var<workgroup> wg_member: array<u32, MAX_GPUS>;     // S, unless it is the hottest GPU alone

fn start_of(e: u32) -> u32 { return topology[record + AT_START + e]; }
fn gpu_of(r: u32) -> u32 { return topology[record + AT_GPU + r]; }
fn pace(row: u32) -> u32 { return topology[record + at_pace() + row]; }
fn speed(row: u32) -> f32 {
  if (EQUAL_SPEEDS) { return 1.0; }
  return bitcast<f32>(topology[record + at_speed() + row]);
}

/// Tokens of a row that have no choice: base loads and experts with one replica.
fn alone(p: u32, row: u32) -> i32 {
  var sum = 0;
  if (params.has_base != 0u) { sum = base[p * params.gpus + topology[record + AT_LABEL + row]]; }
  let at = record + at_singles() + row;
  for (var i = topology[at]; i < topology[at + 1u]; i++) { sum += load[p * params.experts + topology[record + i]]; }
  return sum;
}

fn write_quotas(p: u32, lane: u32) {
  for (var slot = lane; slot < params.slots; slot += WG) {
    let source = topology[record + at_slot() + slot];
    if (source == IDLE_SLOT) {
      quota[p * params.slots + slot] = 0;
      continue;
    }
    let place = topology[record + at_share() + slot];
    var amount: i32;
    if (source >= MAX_REPLICAS) {
      amount = load[p * params.experts + source - MAX_REPLICAS];
    } else {
      amount = wg_kept[source];
    }
    quota[p * params.slots + slot] = share(amount, place & 0xffffu, place >> 16u);
  }
}

fn write_proof(p: u32, lane: u32, iterations: u32, finished: Finished) {
  let words = (params.gpus + 31u) / 32u;
  let first = p * (3u + words);
  if (lane == 0u) {
    proof[first] = select(GAP, OPTIMAL, finished.moves <= MOVE_LIMIT);
    proof[first + 1u] = iterations;
    proof[first + 2u] = finished.moves;
  }
  for (var word = lane; word < words; word += WG) {
    var bits = 0u;
    for (var i = 0u; i < min(32u, params.gpus - 32u * word); i++) {
      let label = 32u * word + i;
      let place = topology[record + at_place() + label];
      var inside = label == finished.hottest;
      if (!finished.is_hottest) { inside = place != FIXED_GPU && wg_member[min(place, MAX_GPUS - 1u)] != 0u; }
      bits |= select(0u, 1u << i, inside);
    }
    proof[first + 3u + word] = bits;
  }
}

@compute @workgroup_size(WG)
fn group(
  @builtin(workgroup_id) wg: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = wg.y * grid.x + wg.x;
  if (p >= params.batch) { return; }                       // uniform over the workgroup, so legal before a barrier,
  if (params.has_skip != 0u && skip[p] != 0u) { return; }  // and so is this
  record = (p % params.topologies) * params.stride;
  places = topology[record + AT_PLACES];
  fixed = topology[record + AT_FIXED];
  experts = topology[record + AT_EXPERTS];
  let stages = topology[(p % params.topologies) * params.stride + AT_STAGES];  // not from `record`: barriers depend on it

  let hottest = read_problem(p, lane);
  let iterations = interior_point(lane, stages, hottest.movable);
  let finished = finish(lane, hottest);
  write_quotas(p, lane);
  write_proof(p, lane, iterations, finished);
}
