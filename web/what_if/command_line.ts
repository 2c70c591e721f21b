import { quoted } from "../../src/cli/print/made.ts";
import { defaults, type Settings } from "./settings.ts";

/** The same question for `evenkeel sweep`; files by their names. */
export function commandLine(settings: Settings, trace: string, stepTime: string): string {
  const { workers, slots, kvTokens, rates, arrivals, seeds, route, schedule, chunk, eviction, tooLarge } = settings;
  const { prediction, ttft, tpot, attainment, breaking, requests } = settings;
  const isDrawn = arrivals === "poisson";
  const isPredicted = schedule.split(",").includes("svf");
  const option = (name: string, value: string, isGiven = value.trim() !== "") =>
    isGiven ? [`--${name}`, quoted(value.replaceAll(" ", ""))] : [];
  return [
    ...["evenkeel", "sweep", quoted(trace)],
    ...[...option("workers", workers), ...option("slots", slots), ...option("kv-tokens", kvTokens)],
    ...[...option("step-time", stepTime), ...option("chunk", chunk), ...option("eviction", eviction)],
    ...[...(tooLarge === "reject" ? ["--reject"] : []), ...option("requests", requests)],
    ...[...option("rates", rates === "" && isDrawn ? defaults.rates : rates), ...option("arrivals", arrivals, isDrawn)],
    ...option("seeds", seeds, isDrawn || (isPredicted && prediction.startsWith("factor"))),
    ...[...option("route", route), ...option("schedule", schedule), ...option("prediction", prediction, isPredicted)],
    ...[...option("slo-ttft", ttft), ...option("slo-tpot", tpot)],
    ...option("attainment", String(Number(attainment) / 100), attainment !== defaults.attainment),
    ...(breaking === "yes" ? ["--breaking-rates"] : []),
  ].join(" ");
}
