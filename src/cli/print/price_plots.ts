import type { PriceCurve } from "../reports/price_curve.ts";
import { PRICED_TOKENS } from "./bound_words.ts";
import { lineChart } from "./charts.ts";
import { figure } from "./html_page.ts";
import { MOST_POINTS, thinned, timeName } from "./simulation_plots.ts";
import { count } from "./words.ts";

/** What memory, slots and workers are worth over time: nothing where they are worth nothing. */
export function pricePlots({ clock }: { clock: "seconds" | "rounds" }, prices: PriceCurve | undefined): string[] {
  if (prices === undefined) return [];
  const { kv, slot, worker, round } = prices;
  const some = (price: Float64Array | undefined, scale: number, what: string) =>
    price?.some((one) => one > 0) ? [pricePlot(clock, round, price, scale, what)] : [];
  return [
    ...some(kv, PRICED_TOKENS, `${count(PRICED_TOKENS)} KV tokens`),
    ...some(slot, 1, "a slot"),
    ...some(worker, 1, "a worker"),
  ];
}

function pricePlot(
  clock: "seconds" | "rounds",
  round: number,
  price: Float64Array,
  scale: number,
  what: string,
): string {
  const rounds = price.length - 1;
  const time = Float64Array.from({ length: rounds }, (_, t) => t * round);
  const unit = clock === "rounds" ? "rounds" : "s";
  const svg = lineChart({
    x: { name: timeName(clock), min: 0, fractions: true },
    y: { name: `${unit} of latency saved`, min: 0 },
    series: [
      {
        name: `shadow price of ${what}`,
        points: thinned(
          time,
          price.subarray(1).map((one) => one * scale),
        ),
      },
    ],
  });
  const span = clock === "rounds" ? "for a round" : "for a second";
  const each = Math.ceil(rounds / MOST_POINTS);
  const means = each > 1 ? ` Each point is the mean of ${each} ${clock === "rounds" ? "rounds" : "steps"}.` : "";
  return figure(
    svg,
    `By how much ${what} more, ${span} at that time, would lower the bound of all requests' latency together, at the most. Where that is 0 there is enough.${means}`,
  );
}
