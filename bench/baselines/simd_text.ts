/** Rivals' methods as WebAssembly with SIMD, by the recorder and the assembler that write ours: rows of loads in, tokens of each replica out. */
import { type Rows, recording, usedSteps, type Value } from "../../src/lp/simd/recording.ts";
import { LPS } from "../../src/lp/simd/simd_solver.ts"; // of the same memory as ours
import { LANES, wasmModule } from "../../src/lp/simd/wasm.ts";
import type { Code } from "../../src/lp/text/field.ts";
import type { Lanes } from "../../src/lp/text/masked.ts";
import type { Topology } from "../../src/lp/topology.ts";
import type { Method } from "../method.ts";
import { loadsOf } from "../ours.ts";
import { choosers, type Workload } from "../workloads.ts";

/** What a text is written for: the GPUs of the replicas of each expert with a choice. */
export interface Choices {
  readonly gpus: number;
  readonly experts: readonly (readonly number[])[];
}

/**
 * The text of a method.
 * @param fixed  [G] whole tokens that cannot move.  @param tokens  whole tokens of each expert with a choice.
 * @returns per expert and replica its tokens.
 */
export type MethodText = <S, B>(
  c: Code<S, B>,
  choices: Choices,
  fixed: readonly S[],
  tokens: readonly S[],
) => readonly (readonly S[])[];

/** How lanes go through branches and loops. */
export type Flow = (lanes: Lanes<Value>) => Code<Value, Value>;

/** Without masks: all lanes go on until none is left, which suits a text that may go on and has no branches. */
export const together: Flow = (lanes) => ({
  ...lanes,
  variable: (initial) => lanes.register(initial),
  when() {
    throw new Error("A branch needs masks.");
  },
  loop: (condition, body) => lanes.whileAny(condition, body),
});

/** A program per topology, one core. */
export function simdMethod(
  method: Pick<Method, "name" | "tokens">,
  text: MethodText,
  flow: Flow,
  answerOf: (work: Workload, lp: number, row: Int32Array) => ArrayLike<number>,
): Method {
  return {
    ...method,
    exact: false,
    async prepare(work) {
      const layers = work.layers.map(({ topology }, layer) => {
        const { batch, expertLoad, baseLoad = new Int32Array(batch * topology.gpus) } = loadsOf(work, layer);
        const answer = new Int32Array(batch * topology.replicaGpu.length);
        return { program: program(topology, text, flow), expertLoad, baseLoad, answer };
      });
      return {
        run() {
          for (const { program, expertLoad, baseLoad, answer } of layers) program(expertLoad, baseLoad, answer);
        },
        answer: () => (lp) => {
          const { answer } = layers[lp % layers.length];
          const width = work.layers[lp % layers.length].topology.replicaGpu.length;
          const row = Math.floor(lp / layers.length) * width;
          return answerOf(work, lp, answer.subarray(row, row + width));
        },
        destroy() {},
      };
    },
  };
}

export function choicesOf(topology: Topology): Choices {
  const { gpus, replicaStart, replicaGpu } = topology;
  return {
    gpus,
    experts: choosers(topology).map((e) => [...replicaGpu.subarray(replicaStart[e], replicaStart[e + 1])]),
  };
}

/** Answers LPs of loads [B, E] and [B, G] into `answer` [B, R], whose words are of f32 where the text says real numbers. */
type Program = (expertLoad: Int32Array, baseLoad: Int32Array, answer: Int32Array) => void;

function program(topology: Topology, text: MethodText, flow: Flow): Program {
  const { bytes, load, base, tokens, size } = written(topology, text, flow);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  const memory = new Int32Array((exports.memory as WebAssembly.Memory).buffer, 0, size / 4);
  const run = exports.run as (quad: number) => void;
  const put = ({ start, width }: Rows, values: Int32Array, first: number, count: number) =>
    memory.set(values.subarray((first * width) / 4, ((first + count) * width) / 4), start / 4);
  return (expertLoad, baseLoad, answer) => {
    const batch = answer.length / topology.replicaGpu.length;
    for (let first = 0; first < batch; first += LPS) {
      const count = Math.min(LPS, batch - first);
      put(load, expertLoad, first, count);
      put(base, baseLoad, first, count);
      for (let quad = 0; quad < Math.ceil(count / LANES); quad++) run(quad);
      const end = (tokens.start + count * tokens.width) / 4;
      answer.set(memory.subarray(tokens.start / 4, end), (first * tokens.width) / 4);
    }
  };
}

function written(topology: Topology, text: MethodText, flow: Flow) {
  const { experts, gpus, replicaStart, replicaGpu } = topology;
  let size = 0;
  const rows = (columns: number): Rows => {
    const start = size;
    size += LPS * columns * 4;
    return { start, width: columns * 4, unit: 4 };
  };
  const [load, base, tokens] = [rows(experts), rows(gpus), rows(replicaGpu.length)];
  const r = recording(Number.POSITIVE_INFINITY);
  const c = flow(r);
  const several = choosers(topology);
  const fixed: Value[][] = Array.from({ length: gpus }, (_, g) => [r.gather(base, g)]);
  for (let e = 0; e < experts; e++) {
    const first = replicaStart[e];
    if (replicaStart[e + 1] - first !== 1) continue;
    const all = r.gather(load, e);
    fixed[replicaGpu[first]].push(all);
    r.scatter(tokens, first, all);
  }
  const chosen = text(
    c,
    choicesOf(topology),
    fixed.map((terms) => c.sum(terms)),
    several.map((e) => r.gather(load, e)),
  );
  for (const [i, row] of chosen.entries()) {
    for (const [k, amount] of row.entries()) r.scatter(tokens, replicaStart[several[i]] + k, amount);
  }
  return { bytes: wasmModule(usedSteps(r.steps), size), load, base, tokens, size };
}
