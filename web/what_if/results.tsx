import { useMemo } from "preact/hooks";
import { percent, threeFigures, timeInWords } from "../../src/cli/print/simulation_units.ts";
import { plural } from "../../src/cli/print/words.ts";
import { download } from "../shell/download.ts";
import { Figure, Table } from "../shell/figure.tsx";
import { Message } from "../shell/message.tsx";
import { configurationsOf, headlinesOf, mainRate, policyRows } from "./answers.ts";
import { Configurations } from "./configurations.tsx";
import { csvOf, jsonOf } from "./exports.ts";
import { breakingPlot, frontPlots, type MeasuredRun } from "./plots.ts";
import { rateInWords } from "./question.ts";
import type { Result } from "./use_sweep.ts";

/** @param run  what a benchmark's file has measured, of the trace that was simulated. */
export function Results({ result, run }: { result: Result; run: MeasuredRun | undefined }) {
  const { question, swept, breaking } = result;
  const all = useMemo(() => configurationsOf(question, swept.scenarios, breaking), [result]);
  const fronts = useMemo(() => frontPlots(all, run), [swept, run?.workers]);
  const grown = useMemo(() => breaking && breakingPlot(breaking), [breaking]);
  const { slo = {} } = question.grid;
  const limits = `SLO: ${percent(question.attainment)} of the requests with TTFT up to ${timeInWords(slo.ttft!, "seconds")} and TPOT up to ${timeInWords(slo.tpot!, "seconds")}.`;
  const rejected = swept.scenarios[0].rejected;
  return (
    <>
      <dl class="headline">
        {headlinesOf(question, all, breaking).map(({ name, value, note }) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
            <dd>{note}</dd>
          </div>
        ))}
      </dl>
      <p>
        {limits} {run && measuredInWords(run)}
        {rejected > 0 && `Rejected, being larger than a worker's memory: ${plural(rejected, "request")}.`}
      </p>
      <Message kind="status">{ranInWords(result)}</Message>
      <Table
        caption={`By policy, at ${rateInWords(mainRate(question), question.ownRate)}.`}
        rows={policyRows(question, all, breaking)}
      />
      {grown && <Figure {...grown} />}
      <h2>Fronts</h2>
      {fronts.map((plot) => (
        <Figure key={plot.caption} {...plot} />
      ))}
      <h2>Configurations</h2>
      <Configurations all={all} />
      <div class="row">
        <button type="button" onClick={() => download("what_if.csv", csvOf(swept.scenarios), "text/csv")}>
          Download CSV
        </button>
        <button
          type="button"
          onClick={() => download("what_if.json", jsonOf(question, swept, breaking), "application/json")}
        >
          Download JSON
        </button>
      </div>
    </>
  );
}

function ranInWords({ question, swept, seconds }: Result): string {
  const { backend, reason, longestDispatch } = swept;
  const where = backend === "cpu" ? "the CPU" : "WebGPU";
  const each = `${plural(question.scenarios, "scenario")} of ${plural(question.trace.requests, "request")}`;
  const dispatch = backend === "webgpu" ? ` The longest dispatch took ${threeFigures(longestDispatch)} ms.` : "";
  return `${each} in ${timeInWords(seconds, "seconds")} on ${where}. ${reason}${dispatch}`;
}

function measuredInWords({ ttft, tpot, tokenThroughput, workers }: MeasuredRun): string {
  const times = `p99 TTFT ${timeInWords(ttft, "seconds")}, p99 TPOT ${timeInWords(tpot, "seconds")}`;
  return `Measured, says the file: ${times}, ${threeFigures(tokenThroughput)} tokens/s on ${plural(workers, "worker")}. `;
}
