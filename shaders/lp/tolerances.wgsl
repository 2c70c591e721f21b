// tolerances: when the interior points of *lane* and *group* stop, where they start, and how close to 0 they go. src/lp/twins/tolerances.ts has the same.
//
// Declares  is_close(), MAX_ITERATIONS, LOAD_FLOOR, PRIMAL_FLOOR, DUAL_FLOOR, START_SLACK, LEAST_FRACTION.
// Barriers  none.

const MAX_ITERATIONS = 16u;      // ordinary instances take at most 8
const TOLERANCE = 1e-4;          // relative gap to stop at: the exact finish needs few moves from here
const LOAD_FLOOR = 1e-6;         // smaller loads cannot move a GPU by more, and x needs room above its own floor; none is 0
const PRIMAL_FLOOR = 1e-9;       // of x and s,
const DUAL_FLOOR = 1e-12;        // of z and y: below, f32 quotients lose their meaning
const START_SLACK = 0.1;         // of the first t above the hottest GPU, in mean loads
const LEAST_FRACTION = 0.9;      // of the way to the boundary; 1 - mu where that is more

/// The stopping rule: whether the best max load is this close to the best bound.
fn is_close(top: f32, below: f32) -> bool {
  return top - below <= TOLERANCE * max(below, LOAD_FLOOR);
}
