// solve_params: what the variants of `solve` share: their sizes, the status of an LP, when an exact finish gives up, and how the slots of a replica
// share its tokens. The topology's record is of those that have it as data.
//
// Declares  Params, OPTIMAL, GAP, MOVE_LIMIT, IDLE_SLOT, share().
// Barriers  none.

const OPTIMAL = 0u;  // status: max load equals the bound of S, to the token
const GAP = 1u;      // the finish gave up: certified, not closed

const MOVE_LIMIT = 4096u;  // moves and raised bounds; beyond, the CPU finishes. Ordinary instances take at most 20.

const IDLE_SLOT = 0xffffffffu;  // of a topology's record: nobody's slot, empty or on a dead GPU; its quota is 0

struct Params {
  batch: u32,       // B, number of LPs
  topologies: u32,  // records in `topology`
  stride: u32,      // words of a record
  has_base: u32,    // 0: every base load is 0 and `base` is not read
  has_skip: u32,    // 0: every LP is solved and `skip` is not read
  gpus: u32,        // G, dead ones too
  experts: u32,     // E, width of `load`
  slots: u32,       // P, width of `quota`
}

/// The part of slot `ordinal` of a replica with several slots: as even as whole tokens allow.
fn share(amount: i32, ordinal: u32, slots: u32) -> i32 {
  let parts = i32(slots);
  return amount / parts + select(0, 1, i32(ordinal) < amount % parts);
}
