import { useMemo, useState } from "preact/hooks";
import { holdTo } from "../../bench/budget.ts";
import { chartsOf } from "../../bench/plots.ts";
import { questions } from "../../bench/questions.ts";
import { cells } from "../../bench/report.ts";
import { type Results as Measured, type Meta, resultsText } from "../../bench/results_file.ts";
import type { Row } from "../../bench/row.ts";
import { plural } from "../../src/cli/print/words.ts";
import { download } from "../shell/download.ts";
import { Figure, Table } from "../shell/figure.tsx";
import { Message } from "../shell/message.tsx";
import { BUDGET_US, batchTiles, browserName, budgetTile, isCoarse, ofSoftware, type Tile } from "./words.ts";

interface ResultsProps extends Measured {
  title: string;
  /** What rows say together. */
  notes?: readonly string[];
  /** Whether they are the reader's own, to be taken away. */
  own?: true;
}

/** More than that is a page to scroll through. */
const MOST_ROWS_OPEN = 60;

/** Rows as figures that say it all, plots and tables, and what they were measured with. */
export function Results({ title, meta, rows, notes = [], own }: ResultsProps) {
  const charts = useMemo(() => chartsOf(rows), [rows]);
  const tiles = [budgetTile(holdTo(BUDGET_US, rows, ofSoftware(meta)), meta), ...batchTiles(rows)];
  return (
    <section class="results">
      <h2>{title}</h2>
      <Tiles tiles={tiles} />
      <With meta={meta} />
      {own && <Take meta={meta} rows={rows} />}
      {charts.map(({ svg, caption }) => (
        <Figure key={caption} svg={svg} name={caption} caption={caption} />
      ))}
      {questions.map(({ name, asks }) => {
        const asked = rows.filter(({ question }) => question === name);
        return (
          asked.length > 0 && (
            <Rows key={name} name={name} asks={asks} rows={asked} open={rows.length <= MOST_ROWS_OPEN} />
          )
        );
      })}
      {notes.length > 0 && (
        <details>
          <summary>What the rows say together</summary>
          <ul>
            {notes.map((note) => (
              <li key={note}>{note}</li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

function Tiles({ tiles }: { tiles: readonly Tile[] }) {
  return (
    <dl class="headline">
      {tiles.map(({ name, value, note }) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
          <dd>{note}</dd>
        </div>
      ))}
    </dl>
  );
}

interface RowsProps {
  name: string;
  asks: string;
  rows: readonly Row[];
  open: boolean;
}

/** The table is made when somebody looks. */
function Rows({ name, asks, rows, open: atFirst }: RowsProps) {
  const [open, setOpen] = useState(atFirst);
  const table = open ? cells(rows).map(([, ...others]) => others) : undefined;
  return (
    <details open={open} onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>
        <b>{name}</b> <span class="faint">{plural(rows.length, "row")}</span>
      </summary>
      {table && <Table rows={table} caption={`${asks[0].toUpperCase()}${asks.slice(1).replaceAll("`", "")}`} />}
    </details>
  );
}

/** What the rows were measured with. */
function With({ meta }: { meta: Meta }) {
  const { commit, adapter, driver, cpu, node, webgpu, browser, clockStepUs, timestampStepUs, limits } = meta;
  const known: [string, string | undefined][] = [
    ["adapter", adapter],
    ["driver", driver],
    ["browser", browser && browserName(browser)],
    ["Node", node],
    ["npm package webgpu", webgpu],
    ["CPU", cpu],
    ["clock", clockStepUs === undefined ? undefined : `ticks every ${clockStepUs} us`],
    ["GPU timestamps", browser && stepOf(timestampStepUs)],
    ["evenkeel", commit],
  ];
  return (
    <>
      <dl class="with">
        {known.map(
          ([name, value]) =>
            value && (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ),
        )}
      </dl>
      {limits && (
        <details>
          <summary>Limits of the device</summary>
          <Table
            rows={[
              ["limit", "value"],
              ...Object.entries(limits).map(([name, value]) => [name, value.toLocaleString("en")]),
            ]}
            caption="What the device may use, as it was asked for."
          />
        </details>
      )}
    </>
  );
}

function stepOf(stepUs: number | undefined): string {
  if (stepUs === undefined) return "none";
  return isCoarse(stepUs) ? `in steps of ${stepUs} us` : "not rounded";
}

/** The file that bench/results holds. */
function Take({ meta, rows }: Measured) {
  const [copied, setCopied] = useState<string>();
  const text = resultsText({ meta, rows });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied("Copied.");
    } catch (error) {
      setCopied(`The browser does not let this page copy: ${(error as Error).message}. Download it instead.`);
    }
  };
  return (
    <div class="take">
      <div class="row">
        <button type="button" onClick={() => download(fileName(meta), text, "application/json")}>
          Download JSON
        </button>
        <button type="button" onClick={copy}>
          Copy JSON
        </button>
      </div>
      {copied && <Message kind="status">{copied}</Message>}
      <p class="faint">
        The file is what <code>npm run bench -- --json</code> writes. If your figures surprise you, or your GPU is not
        in the documents yet, attach it to an issue of the repository: it has what is shown here and nothing else.
      </p>
    </div>
  );
}

function fileName({ adapter, browser = "" }: Meta): string {
  const words = `${adapter} ${browserName(browser)}`.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return `evenkeel-bench-${words.join("-").slice(0, 80)}.json`;
}
