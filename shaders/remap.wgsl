// remap: logical expert ids to physical slots so that every slot receives exactly its quota, in order of position in the batch.
//
//   the j-th token of expert e (over all ranks) goes to the slot i of e with  Q_{i-1} <= j < Q_i,   Q_i = quota_1 + ... + quota_i
//
// A chunk of ids is walked in blocks of WG. Within a block a token's ordinal among those of its expert is a count of bits: every
// invocation sets its bit in the expert's word mask, then counts the bits below its own. No hashing, no order of atomics: the same input
// gives the same output.
//
// Shapes    ids: [L, N] i32 or u32.   offsets: [L, C, E] u32 from the `offsets` kernel.   quota: [L, P] u32.   physical: [L, N] u32: a
//           slot, or -1 for ids that are -1 or out of range, and for tokens beyond the expert's quotas (never, if those add up).
// Bindings  group 0:  0 placement   1 ids   2 offsets   3 quota   4 physical (out)   5 params.
// Launch    WG invocations per chunk of CHUNK ids; grid [C, L, 1]. EXPERTS (WG / 32 + 1) words of workgroup memory.
//           1 barrier, and 3 per block of WG ids.
// Requires  C * CHUNK >= N, CHUNK a multiple of WG, WG a multiple of 32.
// Twin      src/reference/remap.ts, compared in test/kernels/remap.test.ts.
override EXPERTS: u32;
override CHUNK: u32;
override WG: u32;
override WORDS: u32;  // WG / 32

@group(0) @binding(0) var<storage, read> placement: array<u32>;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> offsets: array<u32>;
@group(0) @binding(3) var<storage, read> quota: array<u32>;
@group(0) @binding(4) var<storage, read_write> physical: array<u32>;
@group(0) @binding(5) var<uniform> params: BalanceParams;

const WORD_BITS = 32u;

var<workgroup> wg_next: array<u32, EXPERTS>;                   // ordinal of the expert's next token
var<workgroup> wg_seen: array<atomic<u32>, EXPERTS * WORDS>;   // bit per invocation; zero between blocks

/// The slot that token `ordinal` of expert e goes to.
fn slot_of(layer: u32, e: u32, ordinal: u32) -> u32 {
  let record = record_of(layer);
  let first = record + params.experts + e * params.replicas;
  var left = ordinal;
  for (var i = 0u; i < placement[record + e]; i++) {
    let slot = placement[first + i];
    let here = quota[layer * params.slots + slot];
    if (left < here) { return slot; }
    left -= here;
  }
  return NO_EXPERT;
}

@compute @workgroup_size(WG)
fn remap(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let chunk = wg.x;
  let layer = wg.y;
  for (var e = lane; e < EXPERTS; e += WG) {
    wg_next[e] = offsets[(layer * params.chunks + chunk) * EXPERTS + e];
  }
  workgroupBarrier();

  let word = lane / WORD_BITS;
  let bit = 1u << (lane % WORD_BITS);
  let start = chunk * CHUNK;
  let end = min(start + CHUNK, params.assignments);
  for (var block = start; block < end; block += WG) {  // uniform bounds, so barriers are legal inside
    let i = block + lane;
    let inside = i < end;
    var e = NO_EXPERT;
    if (inside) { e = ids[layer * params.assignments + i]; }
    let counts = e < EXPERTS;
    if (counts) { atomicOr(&wg_seen[e * WORDS + word], bit); }
    workgroupBarrier();

    var below = 0u;
    var all = 0u;
    if (counts) {
      for (var k = 0u; k < WORDS; k++) {
        let seen = atomicLoad(&wg_seen[e * WORDS + k]);
        all += countOneBits(seen);
        if (k < word) { below += countOneBits(seen); }
        if (k == word) { below += countOneBits(seen & (bit - 1u)); }
      }
      physical[layer * params.assignments + i] = slot_of(layer, e, wg_next[e] + below);
    } else if (inside) {
      physical[layer * params.assignments + i] = NO_EXPERT;
    }
    workgroupBarrier();

    if (counts && below + 1u == all) {  // the last of its expert tidies up: one invocation per expert, no race
      wg_next[e] += all;
      for (var k = 0u; k < WORDS; k++) { atomicStore(&wg_seen[e * WORDS + k], 0u); }
    }
    workgroupBarrier();
  }
}
