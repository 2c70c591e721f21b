// remap: logical expert ids to physical slots so that every slot receives exactly its quota, in order of position in the batch.
//
//   the j-th token of expert e (over all ranks) goes to the slot i of e with  Q_{i-1} <= j < Q_i,   Q_i = quota_1 + ... + quota_i
//
// BY_SOURCE: of each source by itself: the j-th of source s by the quotas of s.
//
// A chunk of ids is walked in blocks of 32 WORDS, several ids per invocation. Within a block a token's ordinal among those of its expert is a
// count of bits: every id sets its bit in the expert's mask, then the bits below its own are counted. No hashing, no order of atomics: the
// same input gives the same output.
//
// Shapes    ids: [L, N] i32 or u32.   offsets: [L, C, E] u32 from the `offsets` kernel.   quota: [L, P] u32.   physical: [L, N] u32: a
//           slot, or -1 for ids that are -1 or out of range, of an expert that is lost, and for tokens beyond the expert's quotas (never, if
//           those add up).   BY_SOURCE: quota [L, S, P] u32, start [L, S, E] u32 from `source_starts`, else not read; offsets count from 0.   unserved: [L] u32, zeroed by the caller: ids of experts that have no slot for them.
// Bindings  group 0:  0 placement   1 ids   2 offsets   3 quota   4 start   5 physical (out)   6 unserved (out)   7 params.
// Launch    WG invocations per chunk of CHUNK ids; grid [C, L, 1]. EXPERTS (WORDS + 1) words of workgroup memory.
//           1 barrier, and 3 per block of ids.
// Requires  C * CHUNK >= N, CHUNK a multiple of 32 WORDS, that one of WG.
// Twin      src/balancer/twins/remap.ts, compared in test/balancer/kernels/remap.test.ts.
override EXPERTS: u32;
override CHUNK: u32;
override WG: u32;
override WORDS: u32;  // of an expert's mask
override BY_SOURCE: bool;

@group(0) @binding(0) var<storage, read> placement: array<u32>;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> offsets: array<u32>;
@group(0) @binding(3) var<storage, read> quota: array<u32>;
@group(0) @binding(4) var<storage, read> start: array<u32>;
@group(0) @binding(5) var<storage, read_write> physical: array<u32>;
@group(0) @binding(6) var<storage, read_write> unserved: array<atomic<u32>>;
@group(0) @binding(7) var<uniform> params: BalanceParams;

const WORD_BITS = 32u;

var<workgroup> wg_next: array<u32, EXPERTS>;                   // ordinal of the expert's next token
var<workgroup> wg_seen: array<atomic<u32>, EXPERTS * WORDS>;   // bit per id of the block; zero between blocks

/// The slot that token `ordinal` of expert e goes to, which stands at `position`.
fn slot_of(layer: u32, e: u32, ordinal: u32, position: u32) -> u32 {
  let record = record_of(layer);
  let first = record + params.experts + e * params.replicas;
  var left = ordinal;
  var row = layer;
  if (BY_SOURCE) {
    row = layer * params.sources + source_of(position);
    if (params.rank == DEALT) { left -= start[row * EXPERTS + e]; }  // those of earlier sources
  }
  for (var i = 0u; i < placement[record + e]; i++) {
    let slot = placement[first + i];
    let here = quota[row * params.slots + slot];
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

  let start = chunk * CHUNK;
  let end = min(start + CHUNK, params.assignments);
  let layer_start = layer * params.assignments;
  for (var block = start; block < end; block += WORDS * WORD_BITS) {  // uniform bounds, so barriers are legal inside
    let block_end = min(block + WORDS * WORD_BITS, end);
    for (var i = block + lane; i < block_end; i += WG) {
      let e = ids[layer_start + i];
      if (e < EXPERTS) { atomicOr(&wg_seen[e * WORDS + (i - block) / WORD_BITS], 1u << ((i - block) % WORD_BITS)); }
    }
    workgroupBarrier();

    for (var i = block + lane; i < block_end; i += WG) {
      let e = ids[layer_start + i];
      var slot = NO_EXPERT;
      if (e < EXPERTS) {
        let word = (i - block) / WORD_BITS;
        let mask = (1u << ((i - block) % WORD_BITS)) - 1u;
        var below = countOneBits(atomicLoad(&wg_seen[e * WORDS + word]) & mask);
        for (var k = 0u; k < word; k++) { below += countOneBits(atomicLoad(&wg_seen[e * WORDS + k])); }
        slot = slot_of(layer, e, wg_next[e] + below, i);
        if (slot == NO_EXPERT) { atomicAdd(&unserved[layer], 1u); }
      }
      physical[layer_start + i] = slot;
    }
    workgroupBarrier();

    for (var e = lane; e < EXPERTS; e += WG) {
      var all = 0u;
      for (var k = 0u; k < WORDS; k++) { all += countOneBits(atomicExchange(&wg_seen[e * WORDS + k], 0u)); }
      wg_next[e] += all;
    }
    workgroupBarrier();
  }
}
