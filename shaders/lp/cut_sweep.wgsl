// cut_sweep: the G prefix sets of the GPUs in order of falling price, as bounds: t >= inside(S) / speed(S).
//
// An expert lies inside a prefix once the prefix holds the last of its replicas, so one pass over the replicas and one over the
// ranks value all prefixes. Loads count as given, without their floor. Usually exact several iterations before x is.
//
// Declares  sweep_cuts(). It improves bound and member.
// Needs     gpus, experts, start_of(), gpu_of() of topology_record.wgsl; tokens, member, MAX_GPUS of lane.wgsl; y of newton_system.wgsl; scale, b, bound, speed() of
//           scaling.wgsl.
// Barriers  none.

var<private> rank: array<u32, MAX_GPUS>;          // position of GPU g in order of falling price, ties by index
var<private> weight_at: array<f32, MAX_GPUS>;     // load that the k-th GPU brings inside
var<private> speed_at: array<f32, MAX_GPUS>;

fn sweep_cuts() {
  for (var g = 0u; g < gpus; g++) { weight_at[g] = 0.0; }
  for (var g = 0u; g < gpus; g++) {
    var before = 0u;
    for (var k = 0u; k < gpus; k++) { before += select(0u, 1u, y[k] > y[g] || (y[k] == y[g] && k < g)); }
    rank[g] = before;
    weight_at[before] += b[g];
    speed_at[before] = speed(g);
  }
  for (var e = 0u; e < experts; e++) {
    var last = 0u;
    for (var r = start_of(e); r < start_of(e + 1u); r++) { last = max(last, rank[gpu_of(r)]); }
    weight_at[last] += f32(tokens[e]) * scale;
  }

  var inside = 0.0;
  var speed_inside = 0.0;
  var size = 0u;
  for (var k = 0u; k < gpus; k++) {
    inside += weight_at[k];
    speed_inside += speed_at[k];
    if (inside > bound * speed_inside) {
      bound = inside / speed_inside;
      size = k + 1u;
    }
  }
  if (size > 0u) {
    for (var g = 0u; g < gpus; g++) { member[g] = rank[g] < size; }
  }
}
