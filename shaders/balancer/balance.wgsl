// balance: what the balancer's kernels share: their sizes, and where the slots of each expert stand.
//
// A table of placements is [placements, E (1 + X) + G + 2] u32: in a record E replica counts, E rows of X slots, the first slot of each GPU, whose
// slots end where the next one's begin, the last one's at P, and the number of GPUs alive. Layer l uses record l % placements. Counts are of slots
// on living GPUs, which come first in their rows; those on dead ones stand behind them, then -1.
//
// Declares  BalanceParams, DEAD, NO_EXPERT, DEALT, record_of(), first_slots_of(), source_of().
// Needs     params of its kernel.
// Barriers  none.

struct BalanceParams {
  layers: u32,       // L
  assignments: u32,  // N = T k, (token, expert) pairs of one layer
  chunks: u32,       // C, workgroups per layer in `count` and `remap`
  experts: u32,      // E
  slots: u32,        // P
  gpus: u32,         // G
  replicas: u32,     // X, the most slots of any expert
  placements: u32,   // records in `placement`
  skip_below: f32,   // layers of less imbalance keep their default split; 0: none
  top_k: u32,        // k, where tokens have sources
  sources: u32,      // S; T S < 2^32 for T = N / k tokens
  rank: u32,         // the source of all tokens here; DEALT: token t of T is of source floor(t S / T)
}

const DEAD = 0x80000000u;       // beside the first slot of a GPU that is dead
const NO_EXPERT = 0xffffffffu;  // -1: padding, or an id out of range

const DEALT = 0xffffffffu;

fn record_of(layer: u32) -> u32 {
  return (layer % params.placements) * (params.experts * (1u + params.replicas) + params.gpus + 2u);
}

/// Where the first slot of GPU 0 stands in the layer's record; those of the others follow, P, and the number of GPUs alive.
fn first_slots_of(layer: u32) -> u32 { return record_of(layer) + params.experts * (1u + params.replicas); }

/// Whose token the assignment at a position of its layer is of.
fn source_of(position: u32) -> u32 {
  if (params.rank != DEALT) { return params.rank; }
  return ((position / params.top_k) * params.sources) / (params.assignments / params.top_k);
}
