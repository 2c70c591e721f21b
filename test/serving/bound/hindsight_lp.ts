/** The hindsight program as Jaillet et al. state it, by HiGHS: no code of ours. */
import loadHighs from "highs";
import type { SmallProblem } from "./problems.ts";

const highs = await loadHighs();

/** x_ik = 1 if request i starts at k: each once, what runs in a round within its memory and slots. */
function programOf({ trace, options }: SmallProblem) {
  const { requests: n, arrival, input, output } = trace;
  const { kvTokens, workers, slots = Number.POSITIVE_INFINITY } = options;
  const latest = Math.ceil(arrival[n - 1]) + output.reduce((sum, o) => sum + o, 0);
  const last = latest + Math.max(...output);
  const names: string[] = [];
  const cost: string[] = [];
  const rows: string[] = [];
  const memory: string[][] = Array.from({ length: last + 1 }, () => []);
  const running: string[][] = Array.from({ length: last + 1 }, () => []);
  for (let i = 0; i < n; i++) {
    const starts: string[] = [];
    for (let k = Math.ceil(arrival[i]); k <= latest; k++) {
      const x = `x${i}_${k}`;
      starts.push(x);
      cost.push(`${k + output[i] - arrival[i]} ${x}`);
      for (let j = 1; j <= output[i]; j++) {
        memory[k + j].push(`${input[i] + j} ${x}`);
        running[k + j].push(x);
      }
    }
    names.push(...starts);
    rows.push(` once${i}: ${starts.join(" + ")} = 1`);
  }
  for (let t = 1; t <= last; t++) {
    if (memory[t].length === 0) continue;
    rows.push(` kv${t}: ${memory[t].join(" + ")} <= ${kvTokens * workers}`);
    if (slots < Number.POSITIVE_INFINITY) rows.push(` slot${t}: ${running[t].join(" + ")} <= ${slots * workers}`);
  }
  const text = `Minimize\n obj: ${cost.join(" + ")}\nSubject To\n${rows.join("\n")}\n`;
  return { text, names, last };
}

/** The linear relaxation, of all workers' memory and slots together: its value and its duals. */
export function hindsightLp(problem: SmallProblem): { value: number; kv: Float64Array; slot: Float64Array } {
  const { text, last } = programOf(problem);
  const { Status, ObjectiveValue, Rows } = highs.solve(`${text}End\n`, { presolve: "off" });
  if (Status !== "Optimal") throw new Error(`HiGHS: ${Status}`);
  const kv = new Float64Array(last + 1);
  const slot = new Float64Array(last + 1);
  for (const row of Rows) {
    if (!("Dual" in row)) throw new Error("HiGHS: no duals");
    const [, name, t] = /^(kv|slot)(\d+)$/.exec(row.Name) ?? [];
    if (name) (name === "kv" ? kv : slot)[Number(t)] = Math.max(0, -row.Dual);
  }
  return { value: ObjectiveValue, kv, slot };
}

/** The optimum of one worker, in whole starts. */
export function hindsightOptimum(problem: SmallProblem): number {
  const { text, names } = programOf(problem);
  const whole = `${text}Binary\n ${names.join(" ")}\nEnd\n`;
  const { Status, ObjectiveValue } = highs.solve(whole, { mip_rel_gap: 0, mip_abs_gap: 0.5 });
  if (Status !== "Optimal") throw new Error(`HiGHS: ${Status}`);
  return ObjectiveValue;
}
