/** The linear relaxation of the hindsight program as Jaillet et al. state it, by HiGHS: with its value and its duals, no code of ours. */
import loadHighs from "highs";
import type { SmallProblem } from "./instances.ts";

const highs = await loadHighs();

export function hindsightLp({ trace, options }: SmallProblem): { value: number; kv: Float64Array; slot: Float64Array } {
  const { requests: n, arrival, input, output } = trace;
  const { kvTokens, workers, slots = Number.POSITIVE_INFINITY } = options;
  const latest = arrival[n - 1] + output.reduce((sum, o) => sum + o, 0);
  const last = latest + Math.max(...output);
  const cost: string[] = [];
  const once: string[] = [];
  const memory: string[][] = Array.from({ length: last + 1 }, () => []);
  const running: string[][] = Array.from({ length: last + 1 }, () => []);
  for (let i = 0; i < n; i++) {
    const starts: string[] = [];
    for (let k = arrival[i]; k <= latest; k++) {
      const x = `x${i}_${k}`;
      starts.push(x);
      cost.push(`${k + output[i] - arrival[i]} ${x}`);
      for (let j = 1; j <= output[i]; j++) {
        memory[k + j].push(`${input[i] + j} ${x}`);
        running[k + j].push(x);
      }
    }
    once.push(` once${i}: ${starts.join(" + ")} = 1`);
  }
  const rows = [...once];
  for (let t = 1; t <= last; t++) {
    if (memory[t].length === 0) continue;
    rows.push(` kv${t}: ${memory[t].join(" + ")} <= ${kvTokens * workers}`);
    if (slots < Number.POSITIVE_INFINITY) rows.push(` slot${t}: ${running[t].join(" + ")} <= ${slots * workers}`);
  }
  const text = `Minimize\n obj: ${cost.join(" + ")}\nSubject To\n${rows.join("\n")}\nEnd\n`;
  const { Status, ObjectiveValue, Rows } = highs.solve(text, { presolve: "off" });
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
