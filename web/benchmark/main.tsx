import "./style.css";
import { useState } from "preact/hooks";
import { comparedCells } from "../../bench/report.ts";
import { type Results as Measured, readResults } from "../../bench/results_file.ts";
import { plural } from "../../src/cli/print/words.ts";
import { Table } from "../shell/figure.tsx";
import { type DroppedFile, FileDrop } from "../shell/file_drop.tsx";
import { Layout, show } from "../shell/layout.tsx";
import { Message, Progress } from "../shell/message.tsx";
import { Chooser } from "./chooser.tsx";
import { Results } from "./results.tsx";
import { type Run, useRun } from "./use_run.ts";
import { measuredOn } from "./words.ts";

interface Loaded extends Measured {
  name: string;
}

function Benchmark() {
  const { run, start, stop } = useRun();
  const [loaded, setLoaded] = useState<Loaded>();
  const running = run !== undefined && !run.ended;
  const own = run?.ended && run.meta && run.rows.length > 0 ? { ...run, meta: run.meta } : undefined;
  return (
    <>
      <p>
        How long does this machine take for the linear programs that balance mixture-of-experts GPUs, beside other
        methods? The questions of <code>npm run bench</code>, asked here: every answer is checked before it is timed.
      </p>
      <Chooser running={running} onStart={start} />
      {run && <Going run={run} onStop={stop} />}
      {own && <Results title="This browser" meta={own.meta} rows={own.rows} notes={own.notes} own />}
      <h2>Results of others</h2>
      <Others loaded={loaded} onLoaded={setLoaded} />
      {own && loaded && <SideBySide own={own} loaded={loaded} />}
      {loaded && <Results title={loaded.name} meta={loaded.meta} rows={loaded.rows} />}
    </>
  );
}

/** How far it is, or how it ended. */
function Going({ run, onStop }: { run: Run; onStop(): void }) {
  const { ended, rows, what, share, faults, meta } = run;
  const count = plural(rows.length, "row");
  const last = rows.at(-1);
  return (
    <>
      {!ended && (
        <>
          <Progress label={what} done={share} onStop={onStop} />
          <p class="faint">
            {meta && `On ${measuredOn(meta)}. `}
            {count} so far
            {last && `, the last: ${last.solver}, ${last.topology}, ${last.usPerLp.toPrecision(3)} us per LP`}.
          </p>
        </>
      )}
      {faults.map((fault) => (
        <Message key={fault} kind="error">
          {fault}
        </Message>
      ))}
      {ended && <Message kind="status">{`${ends[ended]} ${count}${rows.length > 0 ? ", below" : ""}.`}</Message>}
    </>
  );
}

const ends = {
  done: "All questions have been asked:",
  stopped: "Stopped:",
  failed: "It could not go on:",
};

/** A file of bench/results, or of somebody else's browser. */
function Others({ loaded, onLoaded }: { loaded?: Loaded; onLoaded(loaded: Loaded | undefined): void }) {
  const [error, setError] = useState<string>();
  const read = ({ name, bytes }: DroppedFile) => {
    try {
      onLoaded({ name, ...readResults(new TextDecoder().decode(bytes)) });
      setError(undefined);
    } catch (cause) {
      setError(`${name}: ${(cause as Error).message}`);
    }
  };
  return (
    <>
      <p>
        A file that this page or <code>npm run bench -- --json</code> wrote is shown in the same way, beside your own
        rows where there are some. <code>bench/results/</code> has some.
      </p>
      <FileDrop label="Open a results file" accept=".json" onFile={read} />
      {error && <Message kind="error">{error}</Message>}
      {loaded && (
        <div class="row">
          <button type="button" id="close" onClick={() => onLoaded(undefined)}>
            Close {loaded.name}
          </button>
        </div>
      )}
    </>
  );
}

function SideBySide({ own, loaded }: { own: Measured; loaded: Loaded }) {
  const table = comparedCells([own.rows, loaded.rows], ["here", "file"]);
  return (
    <section class="results compared">
      <h2>Side by side</h2>
      {table ? (
        <Table
          rows={table}
          caption={`Rows of both; here: ${measuredOn(own.meta)}; file: ${measuredOn(loaded.meta)}. The ratio is the file's time over the time here.`}
        />
      ) : (
        <p>No row is in both: the file has {[...new Set(loaded.rows.map(({ question }) => question))].join(", ")}.</p>
      )}
    </section>
  );
}

show(
  <Layout
    page="Benchmark"
    title="Benchmark on your GPU"
    withoutWebgpu="Nothing can be measured here without WebGPU, but results of others can be looked at."
  >
    <Benchmark />
  </Layout>,
);
