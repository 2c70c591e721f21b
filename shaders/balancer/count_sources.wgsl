// count_sources: tokens of each source per expert, where one process has all of them and they are dealt to the sources in order.
//
//   by_source[l, s, e] = #{ i : ids[l, i] = e, i of a token of source s }
//
// Shapes    ids: [L, N] i32 or u32; those that are no expert are left out.   by_source: [L, S, E] u32, zeroed by the caller.
// Bindings  group 0:  0 ids   1 by_source (out)   2 params.
// Launch    WG invocations per chunk of CHUNK ids; grid [C, L, 1]. No barriers.
// Requires  C * CHUNK >= N, T S < 2^32.
// Twin      src/balancer/twins/count_sources.ts, compared in test/balancer/kernels/count_sources.test.ts.
override CHUNK: u32;
override WG: u32;

@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read_write> by_source: array<atomic<u32>>;
@group(0) @binding(2) var<uniform> params: BalanceParams;

@compute @workgroup_size(WG)
fn count_sources(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let chunk = wg.x;
  let layer = wg.y;
  let end = min((chunk + 1u) * CHUNK, params.assignments);
  for (var i = chunk * CHUNK + lane; i < end; i += WG) {
    let e = ids[layer * params.assignments + i];
    if (e >= params.experts) { continue; }
    atomicAdd(&by_source[(layer * params.sources + source_of(i)) * params.experts + e], 1u);
  }
}
