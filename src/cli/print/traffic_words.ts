import { totalOf } from "../reports/assignment_places.ts";
import { type TrafficStudy, type TrafficWay, trafficWays } from "../reports/traffic_study.ts";
import { percent, placeCells, placeColumns } from "./place_words.ts";
import { plainTable } from "./plain_table.ts";
import { count, plural } from "./words.ts";

const labels: Record<TrafficWay, string> = {
  even: "even split",
  balanced: "balanced",
  least: "least traffic",
  nearest: "nearest replica",
};

/** A row per way to hand tokens out, below the names of the columns. */
export function trafficRows({ ways, tokens }: TrafficStudy): string[][] {
  const perToken = (pairs: number) => (tokens === 0 ? "-" : (pairs / tokens).toFixed(2));
  const head = ["assignments", ...placeColumns, "nodes per token", "others", "imbalance"];
  const rows = trafficWays.map((way) => {
    const sent = ways[way];
    const pairs = [perToken(sent.tokenNodePairs), perToken(sent.otherNodePairs)];
    return [labels[way], ...placeCells(sent), ...pairs, sent.imbalance.toFixed(3)];
  });
  return [head, ...rows];
}

/** A row per slack. */
export function slackRows({ curve }: TrafficStudy): string[][] {
  const rows = curve.points.map((point) => [`${point.slack}`, ...placeCells(point), point.imbalance.toFixed(3)]);
  return [["slack", ...placeColumns, "imbalance"], ...rows];
}

export function trafficTables(study: TrafficStudy): string {
  return [plainTable(trafficRows(study)), plainTable(slackRows(study))].join("\n\n");
}

/** Sentences for below the tables. */
export function trafficLegend(study: TrafficStudy): string[] {
  const { sources, nodes, sourcesBy, batches, optimal, ways, curve } = study;
  const whose =
    sourcesBy === "rank" ? "each token's is the rank that recorded it" : "dealt the tokens of a step in order";
  const served = totalOf(ways.least);
  const saved = served === 0 ? 0 : (ways.balanced.otherNodes - ways.least.otherNodes) / served;
  const some = curve.batches < batches ? `, on ${count(curve.batches)} batches of evenly spaced steps` : "";
  return [
    `${plural(sources, "source")}, ${whose}; ${plural(nodes, "node")}. Even split and balanced: the tokens of an expert fill its slots in order of position,`,
    "wherever they are. Least traffic: of all splits with the least load, the one that sends assignments least far, proven for",
    `${count(optimal)} of ${count(batches)} batches; as balanced, it sends ${percent(saved)} of all assignments less to other nodes.`,
    "Nearest replica: whatever the load. Nodes per token: how many a token is sent to, if to each once; others: without its source's.",
    `Slack: GPUs may be loaded by so much above the least, for less traffic${some}.`,
  ];
}
