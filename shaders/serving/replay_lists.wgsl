// replay_lists: who runs, who waits and who is to end next, as links between requests.
//
// Declares  append_running(), remove_running(), insert_ordered(), remove_ordered(), ENDING, EXPECTED, push_waiting(), pop_waiting().
// Needs     state of replay.wgsl; field(), set_field(), work, NONE, TURN, W_..., R_... of replay_state.wgsl.
// Barriers  none.

/// Behind those that began before it.
fn append_running(w: u32, id: u32) {
  let last = state[w + W_LAST];
  set_field(id, R_NEXT, NONE);
  set_field(id, R_PREVIOUS, last);
  if (last == NONE) { state[w + W_FIRST] = id; } else { set_field(last, R_NEXT, id); }
  state[w + W_LAST] = id;
}

fn remove_running(w: u32, id: u32) {
  let after = field(id, R_NEXT);
  let before = field(id, R_PREVIOUS);
  if (before == NONE) { state[w + W_FIRST] = after; } else { set_field(before, R_NEXT, after); }
  if (after == NONE) { state[w + W_LAST] = before; } else { set_field(after, R_PREVIOUS, before); }
}

/// A list in ascending order of a word of its requests.
struct Ordered {
  first: u32,     // words of the worker
  last: u32,
  next: u32,      // words of the request
  previous: u32,
  key: u32,
}
/// By the step at which they end; by that at which they are taken to.
const ENDING = Ordered(W_ENDING, W_ENDING_LAST, R_END_NEXT, R_END_PREVIOUS, R_KEY);
const EXPECTED = Ordered(W_EXPECTED, W_EXPECTED_LAST, R_EXPECTED_NEXT, R_EXPECTED_PREVIOUS, R_EXPECTED_END);

fn insert_ordered(list: Ordered, w: u32, id: u32) {
  let key = field(id, list.key);
  var before = NONE;
  var after = state[w + list.first];
  while (after != NONE && field(after, list.key) < key) {
    before = after;
    after = field(after, list.next);
    work++;
  }
  set_field(id, list.previous, before);
  set_field(id, list.next, after);
  if (before == NONE) { state[w + list.first] = id; } else { set_field(before, list.next, id); }
  if (after == NONE) { state[w + list.last] = id; } else { set_field(after, list.previous, id); }
}

fn remove_ordered(list: Ordered, w: u32, id: u32) {
  let after = field(id, list.next);
  let before = field(id, list.previous);
  if (before == NONE) { state[w + list.first] = after; } else { set_field(before, list.next, after); }
  if (after == NONE) { state[w + list.last] = before; } else { set_field(after, list.previous, before); }
}

/// Of two that wait: the least key goes first, of equals the one that was sent first.
fn is_before(a: u32, b: u32) -> bool {
  let high = field(a, R_KEY_HIGH);
  let high_b = field(b, R_KEY_HIGH);
  if (high != high_b) { return high < high_b; }
  let low = field(a, R_KEY);
  let low_b = field(b, R_KEY);
  if (low != low_b) { return low < low_b; }
  return (field(a, R_TURN) & TURN) < (field(b, R_TURN) & TURN);
}

/// Of two heaps, by their tops. A pairing heap [Fredman et al. 1986]: R_NEXT is the first child, R_PREVIOUS the next sibling.
fn meld(a: u32, b: u32) -> u32 {
  if (a == NONE) { return b; }
  if (b == NONE) { return a; }
  let first = is_before(a, b);
  let top = select(b, a, first);
  let child = select(a, b, first);
  set_field(child, R_PREVIOUS, field(top, R_NEXT));
  set_field(top, R_NEXT, child);
  return top;
}

fn push_waiting(w: u32, id: u32) {
  set_field(id, R_NEXT, NONE);
  set_field(id, R_PREVIOUS, NONE);
  state[w + W_TOP] = meld(state[w + W_TOP], id);
}

/// Takes the top away; there must be one. Its children meld in pairs from the first on, and the pairs from the last.
fn pop_waiting(w: u32) {
  var child = field(state[w + W_TOP], R_NEXT);
  var pairs = NONE;
  while (child != NONE) {
    let other = field(child, R_PREVIOUS);
    var rest = NONE;
    set_field(child, R_PREVIOUS, NONE);
    if (other != NONE) {
      rest = field(other, R_PREVIOUS);
      set_field(other, R_PREVIOUS, NONE);
    }
    let melded = meld(child, other);
    set_field(melded, R_PREVIOUS, pairs);
    pairs = melded;
    child = rest;
    work++;
  }
  var top = NONE;
  while (pairs != NONE) {
    let rest = field(pairs, R_PREVIOUS);
    set_field(pairs, R_PREVIOUS, NONE);
    top = meld(top, pairs);
    pairs = rest;
  }
  state[w + W_TOP] = top;
}
