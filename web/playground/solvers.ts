/** Who answers: solvers that are kept while only loads change. */
import {
  createSolver,
  type ReplicaLoads,
  type ReplicaSolution,
  type Solver,
  solveLoadBalanceLP,
  type TimedSolution,
} from "../../src/index.ts";
import type { Question } from "./question.ts";

export interface Answers {
  /** The least maximal load, and the least maximal time. */
  tokens: ReplicaSolution;
  time: TimedSolution;
  /** Of WebGPU's answers: what the CPU says. */
  cpu?: Omit<Answers, "cpu">;
}

interface Pair {
  key: string;
  tokens: Solver<ReplicaLoads, ReplicaSolution>;
  time: Solver<ReplicaLoads, TimedSolution>;
}

export class Solvers {
  private pair: Pair | undefined;

  /** @throws {DeviceError | KernelError} "webgpu" is asked for, and there is none, or it was lost.  @throws {ArgumentError} Not a problem. */
  async solve(question: Question): Promise<Answers> {
    const { expertLoad } = question;
    const { tokens, time } = await this.of(question);
    const answers = { tokens: await tokens.solve({ expertLoad }), time: await time.solve({ expertLoad }) };
    if (answers.tokens.backend === "cpu") return answers;
    const { placement, speed, active, cost } = question;
    const problem = { placement, expertLoad, speed, active };
    const cpu = {
      tokens: await solveLoadBalanceLP(problem, { backend: "cpu" }),
      time: await solveLoadBalanceLP(problem, { backend: "cpu", cost }),
    };
    return { ...answers, cpu };
  }

  private async of({ placement, speed, active, cost, backend }: Question): Promise<Pair> {
    const key = JSON.stringify([placement, [...speed], active && [...active], cost, backend]);
    if (this.pair?.key === key) return this.pair;
    this.close();
    const options = { speed, active, backend };
    const tokens = await createSolver(placement, options);
    this.pair = { key, tokens, time: await createSolver(placement, { ...options, cost }) };
    return this.pair;
  }

  close(): void {
    this.pair?.tokens.destroy();
    this.pair?.time.destroy();
    this.pair = undefined;
  }
}
