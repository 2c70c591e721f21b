import { useState } from "preact/hooks";
import { percent, threeFigures, timeInWords } from "../../src/cli/print/simulation_units.ts";
import { count } from "../../src/cli/print/words.ts";
import { Scroll } from "../shell/figure.tsx";
import type { Configuration } from "./answers.ts";

interface Column {
  name: string;
  text(one: Configuration): string;
  /** What it is sorted by, the least first. */
  by(one: Configuration): number | string;
}

const holds = ({ breaking }: Configuration) => breaking?.holds ?? Number.NaN;

const columns: readonly Column[] = [
  { name: "policy", text: ({ policy }) => policy, by: ({ policy }) => policy },
  { name: "workers", text: ({ workers }) => count(workers), by: ({ workers }) => workers },
  {
    name: "requests/s",
    text: ({ rate, requestThroughput }) =>
      rate === undefined ? `${threeFigures(requestThroughput)} served` : threeFigures(rate),
    by: ({ rate, requestThroughput }) => rate ?? requestThroughput,
  },
  { name: "p99 TTFT", text: ({ ttft }) => timeInWords(ttft.p99, "seconds"), by: ({ ttft }) => ttft.p99 },
  { name: "p99 TPOT", text: ({ tpot }) => timeInWords(tpot.p99, "seconds"), by: ({ tpot }) => tpot.p99 },
  {
    name: "tokens/s a worker",
    text: ({ workerThroughput }) => threeFigures(workerThroughput),
    by: ({ workerThroughput }) => workerThroughput,
  },
  { name: "J/token", text: (one) => threeFigures(one.energyPerToken), by: (one) => one.energyPerToken },
  { name: "within the SLO", text: (one) => percent(one.attainment!), by: (one) => one.attainment! },
  { name: "holds to requests/s", text: (one) => threeFigures(holds(one)), by: holds },
  { name: "front", text: ({ onFront }) => (onFront ? "yes" : ""), by: ({ onFront }) => (onFront ? 0 : 1) },
];

/** Rows at first. */
const MOST_ROWS = 30;

/** All of them, by whichever column; those of the front are in bold. */
export function Configurations({ all }: { all: readonly Configuration[] }) {
  const [order, setOrder] = useState({ column: columns.length - 1, descends: false });
  const [isWhole, setWhole] = useState(false);
  const sorted = sortedBy(all, columns[order.column], order.descends);
  const rows = isWhole ? sorted : sorted.slice(0, MOST_ROWS);
  const caption = `${count(all.length)} configurations. In bold: on the front, as no other at its rate is as good in p99 TTFT, p99 TPOT, throughput per worker and energy per token, and better in one.`;
  return (
    <>
      <Scroll name="All configurations">
        <table class="configurations">
          <caption>{caption}</caption>
          <thead>
            <tr>
              {columns.map(({ name }, column) => {
                const isSorted = column === order.column;
                const direction = order.descends ? "descending" : "ascending";
                return (
                  <th key={name} scope="col" aria-sort={isSorted ? direction : undefined}>
                    <button type="button" onClick={() => setOrder({ column, descends: isSorted && !order.descends })}>
                      {name}
                      <span aria-hidden="true">{isSorted ? (order.descends ? " ↓" : " ↑") : ""}</span>
                    </button>
                  </th>
                );
              })}
            </tr>
          </thead>
          <tbody>
            {rows.map((one) => (
              <tr key={[one.policy, one.workers, one.rate].join()} class={one.onFront ? "front" : undefined}>
                {columns.map(({ name, text }) => (
                  <td key={name}>{text(one)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {rows.length < sorted.length && (
        <button type="button" onClick={() => setWhole(true)}>
          Show all {count(sorted.length)}
        </button>
      )}
    </>
  );
}

/** What has no such figure is last, in either direction. */
function sortedBy(all: readonly Configuration[], { by }: Column, descends: boolean): Configuration[] {
  const sign = descends ? -1 : 1;
  const isMissing = (value: number | string) => Number.isNaN(value);
  return all.toSorted((a, b) => {
    const [first, second] = [by(a), by(b)];
    if (isMissing(first) || isMissing(second)) return Number(isMissing(first)) - Number(isMissing(second));
    return first === second ? 0 : sign * (first < second ? -1 : 1);
  });
}
