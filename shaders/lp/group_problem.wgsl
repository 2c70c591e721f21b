// group_problem: one LP's loads in the units of its interior point, by the lanes of a group: shifted so that none is negative, scaled so that
// sum(load) = sum(v) over the places.
//
// Declares  read_problem(), Hottest, scale, wg_b [places].
// Needs     topology, record, load, params, places, fixed, experts, alone(), speed(), wg_tokens, wg_held, AT_..., WG, MAX_GPUS of group.wgsl;
//           time_alone() of group_time.wgsl; LOAD_FLOOR of tolerances.wgsl; less64() of u64.wgsl; Totals, Counts, LEAST of totals.wgsl;
//           reduce_uniform(), reduce_counts() of workgroup_reduce.wgsl or subgroup_reduce.wgsl.
// Barriers  6 (4 with subgroups), in two reductions.

var<workgroup> wg_b: array<f32, MAX_GPUS>;  // scaled load without a choice, shifted by a multiple of v
var<private> scale: f32;

/// The GPU with most load that has no choice: when it is done, in whole time, and the caller's name for it.
struct Hottest {
  time: vec2u,
  label: u32,
  movable: bool,   // there are tokens with a choice
  negative: bool,  // and that is before time 0
}

/// Loads and their scale: shifted so that none is negative, scaled so that sum(load) = sum(v) over the places.
fn read_problem(p: u32, lane: u32) -> Hottest {
  var own = Totals(vec4f(0.0), vec4f(LEAST));  // sums: load, part with a choice.  tops: shift, hottest fixed GPU, -label, hottest GPU
  var time = vec2u(0u);
  var label = topology[record + AT_LABEL + fixed];  // of a GPU that is alive, whatever its time
  for (var row = fixed + lane; row < topology[record + AT_ROWS]; row += WG) {
    let tokens = alone(p, row);
    let load_time = f32(tokens) / speed(row);
    own.tops.w = max(own.tops.w, load_time);
    if (row < places) {
      wg_held[row] = tokens;
      own.sums.x += f32(tokens);
      own.tops.x = max(own.tops.x, -load_time);
    } else {
      own.tops.y = max(own.tops.y, load_time);
    }
    let done = time_alone(tokens, row);
    if (!less64(done, time)) {
      time = done;
      label = topology[record + AT_LABEL + row];
    }
  }
  for (var e = lane; e < experts; e += WG) {
    let tokens = load[p * params.experts + topology[record + AT_EXPERT + e]];
    wg_tokens[e] = tokens;
    own.sums.x += f32(tokens);
    own.sums.y += f32(tokens);
  }
  let hottest = reduce_counts(Counts(vec2u(0u), time), lane).most;
  if (!less64(time, hottest)) { own.tops.z = -f32(label); }  // the least label of the hottest: exact in f32

  let all = reduce_uniform(own, lane);
  var shift = max(all.tops.x, 0.0);
  var total = all.sums.x;
  if (fixed == 1u) {
    shift = max(shift, -all.tops.y);
    total += all.tops.y;
  }
  total += shift * f32(places);
  scale = f32(places) / max(total, LOAD_FLOOR);  // of use only if there are tokens
  for (var k = lane; k < places; k += WG) {
    var load_alone = all.tops.y;  // of place 0 where GPUs are fixed: a GPU of mean speed
    if (k >= fixed) { load_alone = f32(wg_held[k]); }
    wg_b[k] = (load_alone + shift * speed(k)) * scale;
  }
  return Hottest(hottest, u32(max(-all.tops.z, 0.0)), all.sums.y > 0.0, all.tops.w < 0.0);
}
