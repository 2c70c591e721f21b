// workgroup_reduce: sums and maxima over the lanes of a workgroup, the same in all lanes.
//
// Every lane stores its part; GATHERERS lanes put WG / GATHERERS of them together each; every lane puts those together: two barriers where
// a tree takes log2 WG, and the loads are as few. The order is fixed, so results are the same every time.
//
// Requires  WG a multiple of GATHERERS.
// Declares  reduce(), reduce_uniform(), reduce_counts(); wg_sums, wg_tops, wg_gathered: 32 (WG + GATHERERS) bytes.
// Needs     WG of group.wgsl; Totals, Counts, LEAST of totals.wgsl; larger64() of u64.wgsl.
// Barriers  2 in reduce(); 3 in the others, whose results are uniform for WGSL, so that control flow may depend on them.

const GATHERERS = 8u;

struct Gathered {
  sums: array<vec4u, GATHERERS>,  // bits of Totals.sums, or Counts
  tops: array<vec4f, GATHERERS>,
}

var<workgroup> wg_sums: array<vec4u, WG>;
var<workgroup> wg_tops: array<vec4f, WG>;
var<workgroup> wg_gathered: Gathered;

fn gather(own: Totals, lane: u32) {
  wg_sums[lane] = bitcast<vec4u>(own.sums);
  wg_tops[lane] = own.tops;
  workgroupBarrier();
  if (lane < GATHERERS) {
    var sums = own.sums;
    var tops = own.tops;
    for (var i = lane + GATHERERS; i < WG; i += GATHERERS) {
      sums += bitcast<vec4f>(wg_sums[i]);
      tops = max(tops, wg_tops[i]);
    }
    wg_gathered.sums[lane] = bitcast<vec4u>(sums);
    wg_gathered.tops[lane] = tops;
  }
}

fn reduce(own: Totals, lane: u32) -> Totals {
  gather(own, lane);
  workgroupBarrier();
  var sums = vec4f(0.0);
  var tops = vec4f(LEAST);
  for (var i = 0u; i < GATHERERS; i++) {
    sums += bitcast<vec4f>(wg_gathered.sums[i]);
    tops = max(tops, wg_gathered.tops[i]);
  }
  return Totals(sums, tops);
}

fn reduce_uniform(own: Totals, lane: u32) -> Totals {
  gather(own, lane);
  var gathered = workgroupUniformLoad(&wg_gathered);
  var sums = vec4f(0.0);
  var tops = vec4f(LEAST);
  for (var i = 0u; i < GATHERERS; i++) {
    sums += bitcast<vec4f>(gathered.sums[i]);
    tops = max(tops, gathered.tops[i]);
  }
  return Totals(sums, tops);
}

fn reduce_counts(own: Counts, lane: u32) -> Counts {
  wg_sums[lane] = vec4u(own.sums, own.most);
  workgroupBarrier();
  if (lane < GATHERERS) {
    var sum = vec4u(own.sums, own.most);
    for (var i = lane + GATHERERS; i < WG; i += GATHERERS) {
      let part = wg_sums[i];
      sum = vec4u(sum.xy + part.xy, larger64(sum.zw, part.zw));
    }
    wg_gathered.sums[lane] = sum;
  }
  var gathered = workgroupUniformLoad(&wg_gathered);
  var sum = vec4u(0u);
  for (var i = 0u; i < GATHERERS; i++) {
    let part = gathered.sums[i];
    sum = vec4u(sum.xy + part.xy, larger64(sum.zw, part.zw));
  }
  return Counts(sum.xy, sum.zw);
}
