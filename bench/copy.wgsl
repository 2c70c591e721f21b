// copy: output = input, word by word; what reading and writing as many bytes costs by itself.
//
// Shapes    source: [N] u32.   target: [N] u32.
// Bindings  group 0:  0 source   1 target (out).
// Launch    WG invocations per workgroup; grid [gx, gy, 1] folded so that gx * gy * WG >= N.
override WG: u32;

@group(0) @binding(0) var<storage, read> source: array<u32>;
@group(0) @binding(1) var<storage, read_write> target_words: array<u32>;

@compute @workgroup_size(WG)
fn copy(
  @builtin(workgroup_id) wg: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wg.y * grid.x + wg.x) * WG + lane;
  if (i < arrayLength(&source)) { target_words[i] = source[i]; }
}
