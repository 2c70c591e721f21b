/** Recorded routing: how far assignments travel at exactly the optimal load, against what was measured before there was this solver. */
import { expect, test } from "vitest";
import { eplbPlacements } from "../../../src/cli/reports/load_history.ts";
import { certify, createSolver } from "../../../src/index.ts";
import { recordedBytes, recordedDataPresent } from "../../helpers/recorded.ts";

const [L, T, K, E] = [48, 2080, 8, 128];

/** Tokens of each source, in order, per expert of a layer: [S, E]. */
function sourceLoadOf(ids: Uint8Array, layer: number, sources: number): Int32Array {
  const sourceLoad = new Int32Array(sources * E);
  for (let t = 0; t < T; t++) {
    const row = Math.floor((t * sources) / T) * E;
    for (let k = 0; k < K; k++) sourceLoad[row + ids[(layer * T + t) * K + k]]++;
  }
  return sourceLoad;
}

test.skipIf(!recordedDataPresent).each([
  [8, 16, 2, 42.9, 46.3],
  [16, 32, 4, 68.2, 72.2],
  [8, 64, 2, 28.7, 50.5],
])("Qwen3 prefill, EP%i R%i on %i nodes: at most %f across nodes in per cent, where it was %f", async (...row) => {
  const [gpus, redundant, nodes, least, nearest] = row;
  const ids = recordedBytes("moe/qwen3_30b_a3b_prefill16_topk_ids_48x2080x8.u8.gz");
  const node = (g: number) => Math.floor((g * nodes) / gpus);
  let [away, all] = [0, 0];
  for (let l = 0; l < L; l += 6) {
    const sourceLoad = sourceLoadOf(ids, l, gpus);
    const expertLoad = new Float64Array(E).map((_, e) =>
      sourceLoad.reduce((sum, x, i) => sum + (i % E === e ? x : 0), 0),
    );
    const [placement] = eplbPlacements([expertLoad], gpus, redundant);
    const solver = await createSolver(placement, { backend: "cpu", nodes });
    const solution = await solver.solve({ sourceLoad });
    const { maxLoad } = await solver.solve({ expertLoad });
    solver.destroy();
    expect(solution.status, `layer ${l}`).toEqual(["optimal"]);
    expect(solution.maxLoad).toEqual(maxLoad);
    expect(solution.traffic).toEqual(solution.trafficBound);
    expect(certify({ placement, nodes, sourceLoad }, solution)[0]).toMatchObject({
      verdict: "optimal",
      trafficTrue: true,
    });
    for (const [i, tokens] of solution.sourceQuota!.entries()) {
      const s = Math.floor(i / placement.physicalExperts);
      if (node(s) !== node(placement.gpuOf[i % placement.physicalExperts])) away += tokens;
      all += tokens;
    }
  }
  expect(all).toBe((L / 6) * T * K);
  const share = Math.round((1000 * away) / all) / 10;
  expect(share).toBeLessThanOrEqual(least);
  expect(share).toBeLessThan(nearest);
});
