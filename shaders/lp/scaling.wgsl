// scaling: one LP's loads in the units of the interior point: shifted so that none is negative, scaled so that sum(load) = sum(v) = G.
//
// Declares  scale_loads(), scale, b, bound, speed().
// Needs     record, gpus, experts, AT_... of topology_record.wgsl; topology, tokens, alone, member, EQUAL_SPEEDS, MAX_GPUS of lane.wgsl.
// Barriers  none.

const LEAST = -1e30;  // below any bound

var<private> scale: f32;                // 0: there is no load
var<private> b: array<f32, MAX_GPUS>;   // scaled load without a choice, shifted by a multiple of v
var<private> bound: f32;                // value of the best cut so far, `member`

fn speed(g: u32) -> f32 {
  if (EQUAL_SPEEDS) { return 1.0; }
  return bitcast<f32>(topology[record + AT_SPEED + g]);
}

/// Sets scale, b, and the one cut known without prices: the GPU with most load that has no choice.
fn scale_loads() {
  var total = 0.0;
  var shift = 0.0;
  for (var g = 0u; g < gpus; g++) {
    b[g] = f32(alone[g]);
    total += b[g];
    shift = max(shift, -b[g] / speed(g));
  }
  for (var e = 0u; e < experts; e++) { total += f32(tokens[e]); }
  total += shift * f32(gpus);
  scale = 0.0;
  if (total > 0.0) { scale = f32(gpus) / total; }

  bound = LEAST;
  for (var g = 0u; g < gpus; g++) {
    b[g] = (b[g] + shift * speed(g)) * scale;
    bound = max(bound, b[g] / speed(g));
  }
  var found = false;
  for (var g = 0u; g < gpus; g++) {
    member[g] = !found && b[g] / speed(g) >= bound;
    found = found || member[g];
  }
}
