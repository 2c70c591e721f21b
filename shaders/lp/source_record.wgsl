// source_record: what `match_sources` and `traffic` share: their sizes, and where the replicas of each expert stand and how far they are from each source.
//
// A table is [records, stride] u32 of the living GPUs by the caller's numbers, then [S, G] i32 distances in whole steps and the same as [G, S], as
// src/lp/kernels/source_table.ts writes it. LP p uses record p % records.
//
// Declares  SourceParams, IDLE_SLOT, NONE, record_of(), first_replica(), gpu_of(), first_slot(), slot_at(), replica_of(), ordinal_of(), copies_of(), at_exchanges(),
//           at_leaving(), steps(), steps_to(); at_steps().
// Needs     params, table of its kernel.
// Barriers  none.

struct SourceParams {
  batch: u32,      // B, number of LPs
  records: u32,    // in `table`
  stride: u32,     // words of a record
  gpus: u32,       // G, dead ones too
  experts: u32,    // E
  slots: u32,      // P
  sources: u32,    // S
  replicas: u32,   // R, the most of any record
  exchanges: u32,  // K, the most of any record
  has_skip: u32,   // 0: every LP is answered and `skip` is not read
}

const IDLE_SLOT = 0xffffffffu;  // nobody's slot, empty or on a dead GPU
const NONE = 0x7fffffff;        // more steps than any path has

fn record_of(p: u32) -> u32 { return (p % params.records) * params.stride; }

/// Replicas of expert e are first_replica(e) to first_replica(e + 1) - 1, and so its living slots.
fn first_replica(record: u32, e: u32) -> u32 { return table[record + e]; }
fn first_slot(record: u32, e: u32) -> u32 { return table[record + params.experts + 1u + e]; }
fn at_gpu() -> u32 { return 2u * (params.experts + 1u); }
fn gpu_of(record: u32, r: u32) -> u32 { return table[record + at_gpu() + r]; }
/// Slots of a replica: 1 unless an expert sits twice on a GPU.
fn copies_of(record: u32, r: u32) -> u32 { return table[record + at_gpu() + params.replicas + r]; }
fn at_slots() -> u32 { return at_gpu() + 2u * params.replicas; }
/// The i-th living slot, grouped by expert, ascending in each.
fn slot_at(record: u32, i: u32) -> u32 { return table[record + at_slots() + i]; }
/// The replica that a slot belongs to, or IDLE_SLOT, and how many of the replica's slots come before it.
fn replica_of(record: u32, slot: u32) -> u32 { return table[record + at_slots() + params.slots + slot]; }
fn ordinal_of(record: u32, slot: u32) -> u32 { return table[record + at_slots() + 2u * params.slots + slot]; }
/// Where the exchanges stand: G + 1 starts, by the GPU that is entered, then K replicas that are left and K that are entered.
fn at_exchanges() -> u32 { return at_slots() + 3u * params.slots; }
/// Where it is told which of them leave each replica: R + 1 starts, then K of them.
fn at_leaving() -> u32 { return at_exchanges() + params.gpus + 1u + 2u * params.exchanges; }

fn at_steps() -> u32 { return params.records * params.stride; }
/// From source s to GPU g.
fn steps(s: u32, g: u32) -> i32 { return i32(table[at_steps() + s * params.gpus + g]); }
/// The same, where the invocations that read together have different sources.
fn steps_to(g: u32, s: u32) -> i32 { return i32(table[at_steps() + (params.gpus + g) * params.sources + s]); }
