// topology_record: one topology as src/lp/kernels/topology_table.ts writes it: living GPUs, the experts with a choice of replica, and of those without
// their GPU.
//
// Declares  find_record(), record, gpus, experts, start_of(), gpu_of(), label(), pace(), at_single_gpu(), at_slot(), at_share(), AT_..., MAX_EXPERTS.
// Needs     topology, params, MAX_GPUS, MAX_REPLICAS of lane.wgsl.
// Barriers  none.

const MAX_EXPERTS = MAX_REPLICAS / 2u;  // only experts with two replicas or more are variables

// Parts of a topology record. The last four depend on E and P.
const AT_EXPERTS = 0u;                                // number of experts with a choice of replica
const AT_SINGLES = 1u;                                // number of experts without
const AT_GPUS = 2u;                                   // A, the GPUs that are alive
const AT_LABEL = 3u;                                  // the caller's GPU of each
const AT_SPEED = AT_LABEL + MAX_GPUS;                 // f32 bits, mean 1
const AT_PACE = AT_SPEED + MAX_GPUS;                  // time of one token, u32
const AT_EXPERT = AT_PACE + MAX_GPUS;                 // load column of each expert with a choice
const AT_START = AT_EXPERT + MAX_EXPERTS;             // its first replica
const AT_GPU = AT_START + MAX_EXPERTS + 1u;           // GPU of each replica
const AT_OWNER = AT_GPU + MAX_REPLICAS;               // expert of each replica
const AT_GPU_START = AT_OWNER + MAX_REPLICAS;         // first of each GPU's replicas in the list that follows
const AT_GPU_REPLICA = AT_GPU_START + MAX_GPUS + 1u;  // replicas by GPU
const AT_SINGLE = AT_GPU_REPLICA + MAX_REPLICAS;      // load column of each expert without a choice
fn at_single_gpu() -> u32 { return AT_SINGLE + params.experts; }
fn at_slot() -> u32 { return AT_SINGLE + 2u * params.experts; }  // replica of each slot, MAX_REPLICAS + single, or IDLE_SLOT
fn at_share() -> u32 { return at_slot() + params.slots; }        // ordinal among the replica's slots, their number << 16

var<private> record: u32;                        // where this LP's topology record starts
var<private> gpus: u32;                          // A: dead GPUs take no part
var<private> experts: u32;                       // experts with a choice of replica

fn find_record(p: u32) {
  record = (p % params.topologies) * params.stride;
  gpus = topology[record + AT_GPUS];
  experts = topology[record + AT_EXPERTS];
}

fn start_of(e: u32) -> u32 { return topology[record + AT_START + e]; }
fn gpu_of(r: u32) -> u32 { return topology[record + AT_GPU + r]; }
fn label(g: u32) -> u32 { return topology[record + AT_LABEL + g]; }
fn pace(g: u32) -> u32 { return topology[record + AT_PACE + g]; }
