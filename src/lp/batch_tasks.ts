/** What a worker thread does of a batch: it answers and settles LPs as the first thread would, until none is left. */
import { cpuBackend } from "./backend_cpu.ts";
import { leveller } from "./level.ts";
import { Pieces } from "./pieces.ts";
import { Settlement } from "./settle.ts";
import { type Shape, SharedBatch } from "./shared_batch.ts";
import type { Compiled } from "./simd/simd_solver.ts";
import { checkCost, type ExpertCost } from "./time/expert_cost.ts";
import type { Topology } from "./topology.ts";

/** All that a thread needs to know, so that whichever is free can have it: sending it takes some microseconds. */
export interface ShareTask {
  /** Without its cost, which has functions. */
  topology: Omit<Topology, "cost">;
  cost: ExpertCost | undefined;
  shape: Shape;
  level: boolean;
  memory: SharedBatch["memory"];
  /** What answers whole tokens: the first thread's program, or the exact solver. */
  program: Compiled | undefined;
}

/** A thread has one solver's batches only: what is made for its topology is kept. */
let kept: ReturnType<typeof solversFor> | undefined;

export const batchTasks = {
  /** Returns ms of the exact solver in whole tokens. */
  async settleShare({ topology, cost, shape, level, memory, program }: ShareTask): Promise<number> {
    kept ??= solversFor({ ...topology, cost: cost && checkCost(cost) });
    const { cpu } = kept;
    const batch = new SharedBatch(kept.topology, shape, memory);
    const { loads, raw, judged } = batch;
    if (level) kept.leveller ??= leveller(kept.topology);
    const settlement = new Settlement(kept.topology, cpu, loads, raw, judged, level ? kept.leveller : undefined);
    const pieces = new Pieces(shape.batch, batch.control);
    await cpu.follow(program);
    let exactMs = 0;
    for (let piece = pieces.takeLast(); piece; piece = pieces.takeLast()) {
      batch.begin(piece);
      exactMs += cpu.answer(loads, piece.first, piece.end, raw);
      const before = settlement.finishedOnCpu;
      settlement.settle(piece.first, piece.end, "cpu");
      batch.finish(piece, settlement.finishedOnCpu - before);
    }
    return exactMs;
  },
};

export type BatchTasks = typeof batchTasks;

function solversFor(topology: Topology) {
  return { topology, cpu: cpuBackend(topology), leveller: undefined as ReturnType<typeof leveller> | undefined };
}
