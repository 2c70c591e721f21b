// replay_state: what a scenario is, and where all that is known of its requests and workers stands in `state`.
//
// A scenario's words are its own, HEADER_WORDS, then WORKER_WORDS for each worker, then REQUEST_WORDS for each request. A worker is named by where its words begin, a
// request by its number, from 0, and NONE is nobody. Times are ticks in 64 bits.
//
// Declares  ReplayParams, Scenario, enter(), leave(), scenario, own, counts, at_outcome, starts, work, worker_at(), field(), set_field(), pair(), set_pair(),
//           count(), input_of(), output_of(), estimate_of(), tokens_at_start(), asks(), NONE, NEVER, LEAST_KV, BFIO, SJF, PRIORITY, SVF, IDLE, WOKEN, STEPPING,
//           STARTED, HAS_TOKEN, TURN, W_..., R_..., C_..., COUNT_WORDS, BINS_OF_OCTAVE, BINS.
// Needs     params, scenarios, requests, estimates, state, outcome of replay.wgsl; add64() of u64.wgsl.
// Barriers  none.

struct ReplayParams {
  base: vec2u,               // 2^-32 ticks as u64, and so are the next four: see StepUnits
  per_sequence: vec2u,
  per_kv_token: vec2u,
  per_prefill_token: vec2u,
  per_half_pair: vec2u,
  ttft_limit: vec2u,         // ticks
  tpot_limit: vec2u,
  requests: u32,             // n
  scenarios: u32,            // of this dispatch
  stride: u32,               // words of a scenario in `state`
  budget: u32,               // work that a dispatch does of each scenario
  slots: u32,                // B
  kv_tokens: u32,            // M
  chunk: u32,                // most prompt tokens of a step
  recompute: u32,            // 1: evicted requests keep the tokens that they have made
  grain: u32,                // idle workers begin at multiples of so many ticks, a power of two
}

struct Scenario {
  routing: u32,
  scheduling: u32,
  workers: u32,
  arrivals: u32,   // which row of `arrivals`
  estimates: u32,  // and of `estimates`
}

const NONE = 0xffffffffu;
const NEVER = vec2u(0xffffffffu, 0xffffffffu);

// Of `routing`; 0 is round robin.
const LEAST_KV = 1u;
const BFIO = 2u;
// Of `scheduling`; 0 is first come first served.
const SJF = 1u;
const PRIORITY = 2u;
const SVF = 3u;

// A scenario's own words.
struct Header {
  begun: u32,        // 1 once all words are what they are at the beginning
  come: u32,         // requests that have come
  sent: u32,         // that have been sent to workers
  evicted: u32,      // evictions, first come first served
  first: u32,        // those that wait at the router
  last: u32,
  next_worker: u32,  // of round robin
  ask: u32,          // a request has come to the router, or one has finished, since it was last asked
  stepping: u32,     // workers at their steps
}
const HEADER_WORDS = 9u;

// A worker's words; see ReplayWorker of the twin.
const WORKER_WORDS = 32u;
const W_FIRST = 0u;
const W_LAST = 1u;
const W_PREFILLING = 2u;
const W_ENDING = 3u;
const W_EXPECTED = 4u;
const W_EXPECTED_LAST = 5u;
const W_TOP = 6u;            // of those that wait
const W_WAITING = 7u;
const W_WAITING_TOKENS = 8u;
const W_RUNNING = 9u;
const W_PREFILLS = 10u;
const W_HELD = 11u;
const W_STEPS = 12u;
const W_ASK = 13u;
const W_STATE = 14u;         // IDLE, WOKEN or STEPPING
const W_PLANNED = 15u;
const W_LEFT = 16u;
const W_GENERATING = 17u;
const W_END = 18u;           // two words, and so are the next ones
const W_STEP_START = 20u;
const W_STEP_END = 22u;      // NEVER where no step is under way
const W_TAKES = 24u;         // 2^-32 ticks
const W_GROWTH = 26u;
const W_ROOM = 28u;          // i32
const W_FREE_TOKENS = 29u;   // i32
const W_ENDING_LAST = 30u;

const IDLE = 0u;
const WOKEN = 1u;
const STEPPING = 2u;

// A request's words; see ReplayRequests of the twin.
const REQUEST_WORDS = 12u;
const R_NEXT = 0u;           // of its list; its first child in a heap
const R_PREVIOUS = 1u;       // its next sibling in a heap
const R_END_NEXT = 2u;
const R_END_PREVIOUS = 3u;
const R_EXPECTED_NEXT = 4u;
const R_EXPECTED_PREVIOUS = 5u;
const R_KEY = 6u;            // of one that waits two words
const R_KEY_HIGH = 7u;
const R_EXPECTED_END = 7u;   // of one that runs
const R_MADE = 8u;
const R_TURN = 9u;           // and STARTED, HAS_TOKEN
const R_FIRST_TOKEN = 10u;   // two words

const STARTED = 0x80000000u;
const HAS_TOKEN = 0x40000000u;
const TURN = 0x3fffffffu;

// What is counted, as ReplayCounts has it.
const C_SERVED = 0u;
const C_GOOD = 1u;
const C_STEPS = 2u;
const C_TOKENS = 3u;
const C_EVICTIONS = 4u;
const C_WASTED = 5u;
const C_WAIT = 6u;
const C_TTFT = 7u;
const C_LATENCY = 8u;
const C_TPOT = 9u;
const C_SEVERAL = 10u;
const C_MAKESPAN = 11u;
const C_BUSY = 12u;
const C_SPAN = 13u;          // time, served, good, tokens, busy
const COUNTS = 18u;
const COUNT_WORDS = 36u;
const BINS_OF_OCTAVE = 64u;
const BINS = 2368u;

var<private> scenario: Scenario;
var<private> own: Header;
var<private> counts: array<vec2u, COUNTS>;
var<private> at_scenario: u32;
var<private> at_requests: u32;
var<private> at_outcome: u32;
var<private> starts: bool;   // somebody begins in this event
var<private> work: u32;      // steps, and requests and workers that were looked at, in this dispatch

fn enter(index: u32) {
  scenario = scenarios[index];
  at_scenario = index * params.stride;
  at_requests = at_scenario + HEADER_WORDS + scenario.workers * WORKER_WORDS;
  at_outcome = index * (COUNT_WORDS + 2u * BINS);
  let s = at_scenario;
  own = Header(state[s], state[s + 1u], state[s + 2u], state[s + 3u], state[s + 4u], state[s + 5u], state[s + 6u], state[s + 7u], state[s + 8u]);
  for (var k = 0u; k < COUNTS; k++) { counts[k] = vec2u(outcome[at_outcome + 2u * k], outcome[at_outcome + 2u * k + 1u]); }
  work = 0u;
}

/// Until the next dispatch.
fn leave() {
  let words = array<u32, HEADER_WORDS>(
    own.begun, own.come, own.sent, own.evicted, own.first, own.last, own.next_worker, own.ask, own.stepping);
  for (var k = 0u; k < HEADER_WORDS; k++) { state[at_scenario + k] = words[k]; }
  for (var k = 0u; k < COUNTS; k++) {
    outcome[at_outcome + 2u * k] = counts[k].x;
    outcome[at_outcome + 2u * k + 1u] = counts[k].y;
  }
}

fn worker_at(g: u32) -> u32 { return at_scenario + HEADER_WORDS + g * WORKER_WORDS; }
fn field(id: u32, word: u32) -> u32 { return state[at_requests + id * REQUEST_WORDS + word]; }
fn set_field(id: u32, word: u32, value: u32) { state[at_requests + id * REQUEST_WORDS + word] = value; }
/// Two words of a worker.
fn pair(at: u32) -> vec2u { return vec2u(state[at], state[at + 1u]); }
fn set_pair(at: u32, value: vec2u) {
  state[at] = value.x;
  state[at + 1u] = value.y;
}

fn count(counter: u32, more: vec2u) { counts[counter] = add64(counts[counter], more); }

fn input_of(id: u32) -> u32 { return requests[id].x; }
fn output_of(id: u32) -> u32 { return requests[id].y; }
fn estimate_of(id: u32) -> u32 { return estimates[scenario.estimates * params.requests + id]; }
/// KV tokens that a request begins with.
fn tokens_at_start(id: u32) -> u32 { return input_of(id) + field(id, R_MADE); }

/// Whether the scheduler is asked for what waits.
fn asks(w: u32) -> bool {
  return state[w + W_ASK] == 1u && state[w + W_WAITING] > 0u && state[w + W_RUNNING] < params.slots;
}
