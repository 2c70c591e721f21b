// lane: load-balancing LPs, optimal to the token with a bottleneck set as proof, one LP per invocation.
//
//   min t   s.t.   sum_{r of e} x_r = w_e,   b_g + sum_{r on g} x_r <= v_g t,   x >= 0
//
// An interior point in f32 (interior_point.wgsl) gives x and the cut S that bounds t; x is rounded to whole tokens, which move in
// i32 until max load equals the bound of S exactly (finish.wgsl). Fractions are the same in small units: see src/lp/backend_webgpu.ts.
//
// Shapes    load: [B, E] i32 tokens >= 0.   base: [B, G] i32 of any sign.   quota: [B, P] i32.
//           topology: [topologies, stride] u32 records of the living GPUs as src/lp/kernels/topology_table.ts writes them; LP p uses record p % topologies.
//           skip: [B] u32: where not 0, the LP's quotas and proof stay as they are.
//           proof: [B, 3 + ceil(G / 32)] u32: status, iterations, moves, then S as a bit set.
// Bindings  group 0:  0 topology   1 load   2 base   3 skip   4 quota (out)   5 proof (out)   6 params.
// Launch    WG invocations per workgroup, grid [gx, gy, 1] folded so that gx * gy * WG >= B. No barriers, no workgroup memory.
// Private   2 MAX_GPUS MAX_GPUS + 86 MAX_GPUS + 36 MAX_REPLICAS + 48 bytes per lane, 2,016 for the cube: too much for registers, so it lives in the
//           lane's cached local memory; shapes share a pipeline by rounding up (src/lp/kernels/topology_table.ts) and touch only what they use.
// Traffic   4 (E + P + G + 3 + ceil(G / 32)) bytes per LP: 4 G of it for base loads, where there are any; 4 more where `skip` is read. The topology
//           record comes from the cache.
// Requires  sum(load) + sum(|base|) <= 2^31 - 1 for each LP. src/lp/problem.ts checks it.
// Declared by src/lp/kernels/lane.ts: MAX_GPUS, MAX_REPLICAS.
// Twin      src/lp/twins/lane.ts (f64), compared in test/lp/kernels/lane.test.ts.
override EQUAL_SPEEDS: bool;  // every v_g is 1: times are token counts
override WG: u32;             // invocations per workgroup

@group(0) @binding(0) var<storage, read> topology: array<u32>;
@group(0) @binding(1) var<storage, read> load: array<i32>;
@group(0) @binding(2) var<storage, read> base: array<i32>;
@group(0) @binding(3) var<storage, read> skip: array<u32>;
@group(0) @binding(4) var<storage, read_write> quota: array<i32>;
@group(0) @binding(5) var<storage, read_write> proof: array<u32>;
@group(0) @binding(6) var<uniform> params: Params;

var<private> tokens: array<i32, MAX_EXPERTS>;    // loads of the experts with a choice
var<private> alone: array<i32, MAX_GPUS>;        // tokens that have no choice: base loads and experts with one replica
var<private> member: array<bool, MAX_GPUS>;      // S, the best cut so far
var<private> cap: array<i32, MAX_GPUS>;          // tokens that each GPU may hold by the time that S proves to be needed

fn read_problem(p: u32) {
  find_record(p);
  for (var g = 0u; g < gpus; g++) {
    alone[g] = 0;
    if (params.has_base != 0u) { alone[g] = base[p * params.gpus + label(g)]; }
  }
  let row = p * params.experts;
  let singles = topology[record + AT_SINGLES];
  for (var i = 0u; i < singles; i++) {
    alone[topology[record + at_single_gpu() + i]] += load[row + topology[record + AT_SINGLE + i]];
  }
  for (var e = 0u; e < experts; e++) { tokens[e] = load[row + topology[record + AT_EXPERT + e]]; }
}

fn write_quotas(p: u32) {
  for (var slot = 0u; slot < params.slots; slot++) {
    let source = topology[record + at_slot() + slot];
    if (source == IDLE_SLOT) {
      quota[p * params.slots + slot] = 0;
      continue;
    }
    let place = topology[record + at_share() + slot];
    var amount: i32;
    if (source >= MAX_REPLICAS) {
      amount = load[p * params.experts + topology[record + AT_SINGLE + source - MAX_REPLICAS]];
    } else {
      amount = kept[source];
    }
    quota[p * params.slots + slot] = share(amount, place & 0xffffu, place >> 16u);
  }
}

@compute @workgroup_size(WG)
fn lane(
  @builtin(workgroup_id) wg: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let p = (wg.y * grid.x + wg.x) * WG + local;
  if (p >= params.batch) { return; }
  if (params.has_skip != 0u && skip[p] != 0u) { return; }

  read_problem(p);
  let iterations = interior_point();
  round_to_tokens();
  let moves = finish();

  write_quotas(p);
  write_proof(p, select(GAP, OPTIMAL, moves <= MOVE_LIMIT), iterations, moves);
}
