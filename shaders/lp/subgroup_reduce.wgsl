// subgroup_reduce: workgroup_reduce.wgsl where a workgroup is one subgroup.
//
// Requires  that the module enables subgroups, and a workgroup as large as every subgroup of the device.
// Declares  Totals, reduce(), reduce_uniform(), Counts, reduce_counts(); wg_totals, wg_counts: 48 bytes.
// Barriers  none in reduce(); 2 in the others, whose results are uniform for WGSL. A barrier orders memory only: there is nobody to wait for.

struct Totals {
  sums: vec4f,
  tops: vec4f,  // maxima
}

struct Counts {
  sums: vec2u,  // modulo 2^32
  most: vec2u,  // maximum, u64 (lo, hi)
}

var<workgroup> wg_totals: Totals;
var<workgroup> wg_counts: Counts;

fn reduce(own: Totals, lane: u32) -> Totals { return Totals(subgroupAdd(own.sums), subgroupMax(own.tops)); }

fn reduce_uniform(own: Totals, lane: u32) -> Totals {
  let all = reduce(own, lane);
  if (lane == 0u) { wg_totals = all; }
  return workgroupUniformLoad(&wg_totals);
}

fn reduce_counts(own: Counts, lane: u32) -> Counts {
  let high = subgroupMax(own.most.y);
  let low = subgroupMax(select(0u, own.most.x, own.most.y == high));
  let sums = subgroupAdd(own.sums);
  if (lane == 0u) { wg_counts = Counts(sums, vec2u(low, high)); }
  return workgroupUniformLoad(&wg_counts);
}
