/** What a worker thread does of a batch: it answers and settles LPs as the first thread would, until none is left. */
import { type CpuBackend, cpuBackend } from "./backend_cpu.ts";
import { type Leveller, leveller } from "./level.ts";
import { Pieces } from "./pieces.ts";
import { Settlement } from "./settle.ts";
import { controlIn, type Shape, SharedBatch } from "./shared_batch.ts";
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
let kept: Solvers | undefined;

interface Solvers {
  topology: Topology;
  cpu: CpuBackend;
  leveller?: Leveller;
}

export const batchTasks = {
  /** Returns ms of the exact solver in whole tokens. */
  async settleShare({ topology, cost, shape, level, memory, program }: ShareTask): Promise<number> {
    const pieces = new Pieces(shape.batch, controlIn(memory));
    try {
      kept ??= solversFor({ ...topology, cost: cost && checkCost(cost) });
      await kept.cpu.follow(program);
      return settlePieces(pieces, new SharedBatch(kept.topology, shape, memory), level, kept);
    } finally {
      pieces.leave();
    }
  },
};

export type BatchTasks = typeof batchTasks;

const solversFor = (topology: Topology): Solvers => ({ topology, cpu: cpuBackend(topology) });

function settlePieces(pieces: Pieces, batch: SharedBatch, level: boolean, own: Solvers): number {
  const { topology, cpu } = own;
  const { loads, raw, judged } = batch;
  if (level) own.leveller ??= leveller(topology);
  const settlement = new Settlement(topology, cpu, loads, raw, judged, level ? own.leveller : undefined);
  let exactMs = 0;
  for (let piece = pieces.takeLast(); piece; piece = pieces.takeLast()) {
    const { first, end } = piece;
    const before = settlement.finishedOnCpu;
    batch.begin(piece);
    exactMs += cpu.answer(loads, first, end, raw);
    settlement.settle(first, end, "cpu");
    batch.finish(piece, settlement.finishedOnCpu - before);
  }
  return exactMs;
}
