// write_proof: an LP's proof, its set by the caller's labels, for kernels with one LP per lane.
//
// Declares  write_proof().
// Needs     gpus, label() of topology_record.wgsl; member, proof, params of lane.wgsl.
// Barriers  none.

fn write_proof(p: u32, status: u32, iterations: u32, moves: u32) {
  let words = (params.gpus + 31u) / 32u;
  let first = p * (3u + words);
  proof[first] = status;
  proof[first + 1u] = iterations;
  proof[first + 2u] = moves;
  var next = 0u;  // labels ascend
  for (var word = 0u; word < words; word++) {
    var bits = 0u;
    while (next < gpus && label(next) / 32u == word) {
      bits |= select(0u, 1u << (label(next) % 32u), member[next]);
      next++;
    }
    proof[first + 3u + word] = bits;
  }
}
