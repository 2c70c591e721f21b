import { expect, test, vi } from "vitest";
import { Pauses } from "../../src/common/pauses.ts";
import type { Placement, SolverOptions } from "../../src/index.ts";
import { cpuBackend } from "../../src/lp/backend_cpu.ts";
import { LEAST_BATCH } from "../../src/lp/cpu_threads.ts";
import { formOf } from "../../src/lp/forms.ts";
import { leveller } from "../../src/lp/level.ts";
import { Pieces } from "../../src/lp/pieces.ts";
import { Settlement } from "../../src/lp/settle.ts";
import { bytesOf, SharedBatch, shapeOf } from "../../src/lp/shared_batch.ts";
import { emptyRaw, noneJudged, type RawSolution } from "../../src/lp/solution.ts";
import { expectSame, type Given, modes, names } from "./thread_modes.ts";

test.each(names)("what a worker does alone is what one thread does: %s", async (mode) => {
  vi.resetModules(); // a worker has one topology
  const { batchTasks } = await import("../../src/lp/batch_tasks.ts");
  const { form, options, call, batch } = modes[mode];
  const size = LEAST_BATCH + 5;
  const { topology, check } = formOf(form as Placement, options as SolverOptions);
  const loads = await check(batch(size) as Given, undefined, new Pauses());
  const cpu = cpuBackend(topology);
  const settlement = (raw: RawSolution) => {
    const by = "level" in call ? leveller(topology) : undefined;
    return new Settlement(topology, cpu, loads, raw, noneJudged(topology, size), by);
  };
  const { cost, ...rest } = topology;
  const shape = shapeOf(loads);
  const memory = new SharedArrayBuffer(bytesOf(topology, shape));
  const shared = new SharedBatch(topology, shape, memory);
  for (const program of ["none", "simd"]) {
    if (program === "simd") await cpu.ready();
    const expected = settlement(emptyRaw(topology, loads));
    cpu.answer(loads, 0, size, expected.raw);
    expected.settle(0, size, "cpu");

    new Uint8Array(memory).fill(255); // what another batch left
    shared.read(loads, 0);
    const level = expected.leveller !== undefined;
    const task = { topology: rest, cost: cost?.given, shape, level, memory, program: cpu.program() };
    await batchTasks.settleShare(structuredClone(task));
    const found = settlement(emptyRaw(topology, loads));
    const pieces = new Pieces(size, shared.control);
    expect(pieces.left).toEqual({ first: 0, end: 0 });
    for (let i = 0; i < pieces.count; i++) expect(shared.copyTo(found, pieces.at(i))).toBe(true);
    expectSame(found.raw, expected.raw);
    expectSame(found.judged, expected.judged);
    expect(found.finishedOnCpu).toBe(expected.finishedOnCpu);
  }
});
