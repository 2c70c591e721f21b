import { expect, test } from "vitest";
import { balanceParams, placementTable } from "../../../src/balancer/kernels/balance_params.ts";
import { compileCaps } from "../../../src/balancer/kernels/caps.ts";
import { caps } from "../../../src/balancer/twins/caps.ts";
import { seeded } from "../../../src/common/random.ts";
import { requestDevice } from "../../../src/index.ts";
import { pacesOf } from "../../../src/lp/kernels/topology_table.ts";
import { difference, rowOf } from "../../helpers/arrays.ts";
import { layerPlacements } from "../../helpers/batches.ts";
import { randomSpeeds } from "../../helpers/instances.ts";
import { runKernel, unwritten } from "../../helpers/kernel.ts";

const { device } = await requestDevice();

async function onDevice(
  load: Uint32Array,
  base: Int32Array,
  pace: number[],
  layers: number,
  active?: Uint8Array,
): Promise<Int32Array> {
  const gpus = pace.length;
  const table = placementTable(layerPlacements(seeded(1), 1, 2 * gpus, gpus), active);
  const arrays = {
    ...{ placement: table.data, load, base, pace: Uint32Array.from(pace), cap: unwritten(layers * gpus) },
    params: balanceParams(table, layers, 0, 0),
  };
  const { cap } = await runKernel(device, await compileCaps(device), arrays, [1, 1]);
  return new Int32Array(cap.buffer, cap.byteOffset, cap.length);
}

test.each([1, 2, 8, 40])("%i GPUs: no later than the last one, whatever the speeds", async (gpus) => {
  const random = seeded(2190 + gpus);
  const layers = 5;
  for (const speed of [new Array<number>(gpus).fill(1), randomSpeeds(random, gpus)]) {
    for (const active of [
      undefined,
      Uint8Array.from({ length: gpus }, (_, g) => (g > 0 && random.next() < 0.3 ? 0 : 1)),
    ]) {
      const base = Int32Array.from({ length: layers * gpus }, () => random.below(1000));
      const load = Uint32Array.from(base, (tokens) => tokens + random.below(2 ** 20));
      const pace = pacesOf(speed);
      const found = await onDevice(load, base, pace, layers, active);
      for (let l = 0; l < layers; l++) {
        const own = rowOf(load, l, gpus);
        const row = rowOf(found, l, gpus);
        expect(difference(row, caps(own, rowOf(base, l, gpus), pace, active)), `layer ${l}`).toBeUndefined();
        const alive = [...own.keys()].filter((g) => active?.[g] !== 0);
        const last = Math.max(...alive.map((g) => own[g] * pace[g]));
        for (const g of alive) {
          const [held, more] = [0, 1].map((one) => (row[g] + base[l * gpus + g] + one) * pace[g]);
          expect(held <= last * (1 + 1e-15) && more >= last * (1 - 1e-15), `GPU ${g}`).toBe(true); // but for f64's rounding
        }
      }
    }
  }
});

test("planted: equal speeds give everybody the largest load, less its own base load", async () => {
  const most = 2 ** 31 - 1;
  expect([...(await onDevice(Uint32Array.of(7, most, 0), Int32Array.of(2, 0, 0), [9, 9, 9], 1))]).toEqual([
    most - 2,
    most,
    most,
  ]);
});
