import { expect, test } from "vitest";
import { type Random, seeded } from "../../src/common/random.ts";
import { createSolver, topologies } from "../../src/index.ts";

const upTo = (random: Random, most: number, length: number) => Int32Array.from({ length }, () => random.below(most));

test("a long batch on the CPU lets others run, and stops when told to", async () => {
  const random = seeded(25);
  const [gpus, edges] = [16, topologies.edges(topologies.hypercube16())];
  const batch = 200_000;
  const loads = { load: upTo(random, 1000, batch * gpus), capacity: upTo(random, 300, batch * edges.length) };
  const solver = await createSolver({ gpus, edges }, { backend: "cpu" });
  let last = performance.now();
  let stretch = 0;
  const ticks = setInterval(() => {
    stretch = Math.max(stretch, performance.now() - last);
    last = performance.now();
  });
  const start = performance.now();
  await solver.solve(loads);
  const whole = performance.now() - start;
  clearInterval(ticks);
  await expect(solver.solve(loads, { signal: AbortSignal.timeout(30) })).rejects.toThrow(/timeout/);
  const stopped = performance.now() - start - whole;
  console.log(
    `${batch} LPs in ${Math.round(whole)} ms, ${Math.round(stretch)} ms at a stretch; stopped after ${Math.round(stopped)} ms`,
  );
  expect(stretch).toBeLessThan(whole / 2);
  expect(stopped).toBeLessThan(whole / 2);
});
