// match_sources: whose tokens fill quotas that are given, nearest first.
//
//   for d = the distances of an expert's sources s and slots i in ascending order, for each (s, i) at d:   f_si = min(left of s, room of i)
//
// Where distances are hierarchical (GPU, node, the rest) no other way to fill these quotas has less traffic. Of equal distances the lower source goes
// first, and fills its slots in ascending order: all distances being equal, tokens go where `remap` sends them by position.
//
// Shapes    source_load: [B, S, E] u32.   quota: [B, P] u32, each expert's adding up to what the sources have.   source_quota: [B, S, P] u32, 0 in
//           slots that are nobody's.   table: see source_record.wgsl.
// Bindings  group 0:  0 table   1 source_load   2 quota   3 source_quota (out)   4 params.
// Launch    one (LP, expert) per invocation, WG per workgroup, and one more expert that has the slots of nobody; grid [ceil((E + 1) / WG), B, 1]. No barriers.
// Private   4 MAX_COPIES bytes per lane.
// Requires  B within the grid's second dimension.
// Declared by src/lp/kernels/match_sources.ts: MAX_COPIES (the most slots of any expert).
// Twin      src/lp/twins/match_sources.ts, compared in test/lp/kernels/match_sources.test.ts.
override WG: u32;

@group(0) @binding(0) var<storage, read> table: array<u32>;
@group(0) @binding(1) var<storage, read> source_load: array<u32>;
@group(0) @binding(2) var<storage, read> quota: array<u32>;
@group(0) @binding(3) var<storage, read_write> source_quota: array<u32>;
@group(0) @binding(4) var<uniform> params: SourceParams;

var<private> room: array<u32, MAX_COPIES>;  // tokens that each slot of the expert may still get

/// One slot gets all there is.
fn fill_one(p: u32, slot: u32, e: u32) {
  for (var s = 0u; s < params.sources; s++) {
    source_quota[(p * params.sources + s) * params.slots + slot] = source_load[(p * params.sources + s) * params.experts + e];
  }
}

/// Fills slots with what is `level` steps away; returns the next larger distance at which anything may be left to do, NONE if there is none.
fn fill_from(p: u32, record: u32, e: u32, first: u32, copies: u32, level: i32) -> i32 {
  var next = NONE;
  for (var s = 0u; s < params.sources; s++) {
    let row = (p * params.sources + s) * params.slots;
    var left = source_load[(p * params.sources + s) * params.experts + e];
    if (left == 0u) { continue; }
    for (var i = 0u; i < copies; i++) { left -= source_quota[row + slot_at(record, first + i)]; }
    for (var i = 0u; left > 0u && i < copies; i++) {
      let slot = slot_at(record, first + i);
      let here = steps(s, gpu_of(record, replica_of(record, slot)));
      if (room[i] == 0u || here < level) { continue; }
      if (here > level) {
        next = min(next, here);
        continue;
      }
      let tokens = min(left, room[i]);
      source_quota[row + slot] = tokens;
      room[i] -= tokens;
      left -= tokens;
    }
  }
  return next;
}

fn clear(p: u32, slot: u32) {
  for (var s = 0u; s < params.sources; s++) { source_quota[(p * params.sources + s) * params.slots + slot] = 0u; }
}

@compute @workgroup_size(WG)
fn match_sources(@builtin(global_invocation_id) id: vec3u) {
  let e = id.x;
  let p = id.y;
  if (e > params.experts || p >= params.batch) { return; }
  let record = record_of(p);
  if (e == params.experts) {
    for (var slot = 0u; slot < params.slots; slot++) {
      if (replica_of(record, slot) == IDLE_SLOT) { clear(p, slot); }
    }
    return;
  }
  let first = first_slot(record, e);
  let copies = first_slot(record, e + 1u) - first;
  if (copies == 1u) {
    fill_one(p, slot_at(record, first), e);
    return;
  }
  for (var i = 0u; i < copies; i++) {
    let slot = slot_at(record, first + i);
    clear(p, slot);
    room[i] = quota[p * params.slots + slot];
  }
  for (var level = 0; level != NONE;) { level = fill_from(p, record, e, first, copies, level); }
}
