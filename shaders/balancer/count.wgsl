// count: top-k expert ids to tokens per expert, for all layers.
//
//   counts[l, e] = #{ i : ids[l, i] = e }      chunk_counts[l, c, e] = the same within chunk c
//
// Shapes    ids: [L, N] i32 or u32 (-1: padding).   chunk_counts: [L, C, E] u32.   counts: [L, E] u32, zeroed by the caller.
//           out_of_range: [L] u32, zeroed by the caller: ids that are neither an expert nor -1; they are left out.
// Bindings  group 0:  0 ids   1 chunk_counts (out)   2 counts (out)   3 out_of_range (out)   4 params.
// Launch    WG invocations per chunk of CHUNK ids; grid [C, L, 1]. EXPERTS words of workgroup memory. 1 barrier.
// Requires  C * CHUNK >= N.
// Twin      src/balancer/twins/count.ts, compared in test/balancer/kernels/count.test.ts.
override EXPERTS: u32;
override CHUNK: u32;
override WG: u32;

@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read_write> chunk_counts: array<u32>;
@group(0) @binding(2) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read_write> out_of_range: array<atomic<u32>>;
@group(0) @binding(4) var<uniform> params: BalanceParams;

var<workgroup> wg_counts: array<atomic<u32>, EXPERTS>;  // zero-initialised

@compute @workgroup_size(WG)
fn count(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let chunk = wg.x;
  let layer = wg.y;
  let end = min((chunk + 1u) * CHUNK, params.assignments);
  for (var i = chunk * CHUNK + lane; i < end; i += WG) {
    let e = ids[layer * params.assignments + i];
    if (e < EXPERTS) {
      atomicAdd(&wg_counts[e], 1u);
    } else if (e != NO_EXPERT) {
      atomicAdd(&out_of_range[layer], 1u);
    }
  }
  workgroupBarrier();

  for (var e = lane; e < EXPERTS; e += WG) {
    let found = atomicLoad(&wg_counts[e]);
    chunk_counts[(layer * params.chunks + chunk) * EXPERTS + e] = found;
    if (found > 0u) { atomicAdd(&counts[layer * EXPERTS + e], found); }
  }
}
