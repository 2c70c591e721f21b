/** A batch in memory that threads share: its loads, its answers, and who takes what. */
import type { Status } from "./kernels/proof.ts";
import { CONTROL_WORDS, PIECE, type Piece } from "./pieces.ts";
import type { Loads, TokenMode } from "./problem.ts";
import type { Settlement } from "./settle.ts";
import { bottleneckOf, type Judged, type JudgedRows, type RawSolution } from "./solution.ts";
import type { TimeProof } from "./time/judge_time.ts";
import type { Topology } from "./topology.ts";

/** What the memory of a batch depends on, besides the topology. */
export interface Shape {
  readonly batch: number;
  readonly tokens: TokenMode;
  /** Whether there are base loads. */
  readonly based: boolean;
}

export const shapeOf = ({ batch, tokens, baseLoad }: Loads): Shape => ({
  batch,
  tokens,
  based: baseLoad !== undefined,
});

/** What the memory takes. */
export const bytesOf = (topology: Topology, shape: Shape): number => new SharedBatch(topology, shape, NONE).bytes;

/** The control words come first. */
export const controlIn = (memory: ArrayBufferLike): Int32Array => new Int32Array(memory, 0, CONTROL_WORDS);

/** No memory: arrays without a length, to see what they would take. */
const NONE = new ArrayBuffer(0);

interface ArrayOf<T> {
  new (memory: ArrayBufferLike, start: number, length: number): T;
  readonly BYTES_PER_ELEMENT: number;
}

/** Every array begins at a multiple of so many bytes. */
const ALIGNMENT = 8;

export class SharedBatch {
  readonly control: Int32Array;
  readonly loads: Loads;
  readonly raw: RawSolution;
  /** Its numbers lie in the memory; statuses and proofs, which are none, in `optimal` and `unit`. */
  readonly judged: Omit<Judged, "bottleneck">;
  readonly bytes: number;
  /** [pieces] where a worker is done, 1 more than LPs that it finished exactly. */
  private readonly done: Uint8Array;
  private readonly written: readonly { values: ReturnType<typeof numbersOf>[number]; width: number }[];
  private readonly optimal: Uint8Array;
  /** Of a proof by units; 0 of one by work. */
  private readonly unit: Float64Array;

  constructor(
    private readonly topology: Topology,
    readonly shape: Shape,
    readonly memory: SharedArrayBuffer | ArrayBuffer,
  ) {
    const { batch, tokens, based } = shape;
    const { gpus, allGpus, experts, slots, cost } = topology;
    let at = 0;
    const array = <T>(type: ArrayOf<T>, length: number): T => {
      const start = at;
      at += Math.ceil((length * type.BYTES_PER_ELEMENT) / ALIGNMENT) * ALIGNMENT;
      return memory === NONE ? new type(memory, 0, 0) : new type(memory, start, length);
    };
    const rows = (width: number) => array(Float64Array, batch * width);
    const counts: ArrayOf<Int32Array | Float64Array> = tokens === "integer" ? Int32Array : Float64Array;
    this.control = array(Int32Array, CONTROL_WORDS);
    this.done = array(Uint8Array, Math.ceil(batch / PIECE));
    const expertLoad = array(counts, batch * experts);
    const baseLoad = based ? array(cost ? Float64Array : counts, batch * gpus) : undefined;
    this.loads = { batch, tokens, expertLoad, baseLoad };
    this.raw = {
      ...{ quota: array(counts, batch * slots), member: array(Uint8Array, batch * gpus) },
      ...{ iterations: array(Int32Array, batch), moves: array(Int32Array, batch) },
    };
    this.optimal = array(Uint8Array, batch);
    this.unit = rows(cost ? 1 : 0);
    const times = () => ({
      ...{ time: rows(allGpus), maxTime: rows(1), timeBound: rows(1), timeGap: rows(1) },
      timeProof: new Array<TimeProof>(batch),
    });
    this.judged = {
      status: new Array<Status>(batch),
      ...{ maxLoad: rows(1), lowerBound: rows(1), gap: rows(1), gpuLoad: rows(allGpus), price: rows(allGpus) },
      ...(cost && times()),
    };
    this.written = numbersOf(this.raw, this.judged).map((values) => ({ values, width: values.length / batch }));
    this.bytes = at;
  }

  /** Clears what an earlier batch left where an answer is about to be written. */
  begin({ first, end }: Piece): void {
    for (const { values, width } of this.written) values.fill(0, first * width, end * width);
  }

  /** Leaves what a worker has answered and settled to the first thread. */
  finish({ index, first, end }: Piece, finishedOnCpu: number): void {
    const { status, timeProof } = this.judged;
    for (let lp = first; lp < end; lp++) {
      this.optimal[lp] = status[lp] === "optimal" ? 1 : 0;
      if (timeProof) this.unit[lp] = timeProof[lp].unit ?? 0;
    }
    Atomics.store(this.done, index, 1 + finishedOnCpu);
  }

  /** Takes in the loads of LPs `first` and later, for workers that have not begun. */
  read({ expertLoad, baseLoad }: Loads, first: number): void {
    const { experts, gpus } = this.topology;
    this.control.fill(0);
    this.done.fill(0);
    this.loads.expertLoad.set(expertLoad.subarray(first * experts), first * experts);
    if (baseLoad) this.loads.baseLoad!.set(baseLoad.subarray(first * gpus), first * gpus);
  }

  /** Copies the answers that a worker left to where they are the caller's to keep; or returns false, if none did. */
  copyTo(batch: Settlement<Judged>, { index, first, end }: Piece): boolean {
    const done = Atomics.load(this.done, index);
    if (done === 0) return false;
    const { raw, judged } = batch;
    batch.finishedOnCpu += done - 1;
    const to = numbersOf(raw, judged);
    for (const [i, { values, width }] of this.written.entries()) {
      to[i].set(values.subarray(first * width, end * width), first * width);
    }
    for (let lp = first; lp < end; lp++) {
      judged.status[lp] = this.optimal[lp] ? "optimal" : "gap";
      judged.bottleneck[lp] = bottleneckOf(this.topology, raw.member, lp);
      if (judged.timeProof) judged.timeProof[lp] = proofOf(this.unit[lp]);
    }
    return true;
  }
}

const proofOf = (unit: number): TimeProof => (unit === 0 ? { rule: "work" } : { rule: "units", unit });

/** All that is written of a batch in numbers, in one order. */
function numbersOf({ quota, member, iterations, moves }: RawSolution, judged: JudgedRows) {
  const { maxLoad, lowerBound, gap, gpuLoad, price } = judged;
  const { time, maxTime, timeBound, timeGap } = judged;
  const times = time && maxTime && timeBound && timeGap ? [time, maxTime, timeBound, timeGap] : [];
  return [quota, member, iterations, moves, maxLoad, lowerBound, gap, gpuLoad, price, ...times];
}
