// subgroup_reduce: workgroup_reduce.wgsl where a workgroup is one subgroup.
//
// Requires  that the module enables subgroups, and a workgroup as large as every subgroup of the device.
// Declares  reduce(), reduce_uniform(), reduce_counts(); wg_totals, wg_counts: 48 bytes.
// Needs     Totals, Counts of totals.wgsl.
// Barriers  none in reduce(); 2 in the others, whose results are uniform for WGSL. A barrier orders memory only: there is nobody to wait for.

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
