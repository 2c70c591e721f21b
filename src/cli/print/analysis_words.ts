import type { Analysis, LayerAnalysis, Ranked } from "../reports/analysis.ts";
import { fractionsInWords, toWithinOne } from "../reports/split_imbalance.ts";
import { droppedInWords } from "../reports/step_split.ts";
import { count, plural } from "./words.ts";

/** Of a row per layer. */
export const columns = ["layer", "none", "even", "LP", "bottleneck GPUs", "hottest experts", "one more replica"];

export function rowOf({
  layer,
  batches,
  originals,
  even,
  solved,
  bottleneck,
  hottest,
  replica,
}: LayerAnalysis): string[] {
  if (batches === 0) return [`${layer}`, "-", "-", "-", "-", "-", "-"];
  return [
    `${layer}`,
    ...[originals, even, solved].map(({ mean }) => mean.toFixed(3)),
    some(bottleneck, (share) => `${Math.round(100 * share)} %`),
    some(hottest, (multiple) => `${multiple.toFixed(1)}x`),
    replica && replica.saved >= LEAST_SAVED
      ? `${replica.expert} on GPU ${replica.gpu}: -${replica.saved.toFixed(3)}`
      : "-",
  ];
}

/** Over all batches of all layers. */
export function totalRow({ all: { originals, even, solved } }: Analysis): string[] {
  return ["all", ...[originals, even, solved].map(({ mean }) => mean.toFixed(3)), "", "", ""];
}

const SHOWN = 2;
/** Less would be shown as 0.000. */
const LEAST_SAVED = 0.0005;

function some(ranked: readonly Ranked[], value: (value: number) => string): string {
  return ranked
    .slice(0, SHOWN)
    .map((one) => `${one.index} (${value(one.value)})`)
    .join(" ");
}

export function legend(analysis: Analysis): string[] {
  const { gpus, experts, redundant, placedBy, dropped, measuredSteps, layers, tokens } = analysis;
  const batches = layers.reduce((sum, layer) => sum + layer.batches, 0);
  const optimal = layers.reduce((sum, layer) => sum + layer.optimal, 0);
  return [
    `${gpus} GPUs, ${experts} experts, ${redundant} redundant; placed by ${placedBy};`,
    `${plural(measuredSteps.length, "step")} measured.`,
    ...droppedInWords(dropped),
    "Imbalance is the busiest GPU's load over the mean: none, experts in order without replicas; even, every replica of an expert",
    `serves equally many of its tokens${toWithinOne(tokens)}, as hashing does on average; LP, the best split,`,
    `proven for ${count(optimal)} of ${count(batches)} batches.`,
    "Bottleneck: GPUs that the others cannot relieve, by the share of the steps. Hottest: load over the mean expert's.",
    "One more replica: which would help the LP most, and what it takes off the imbalance.",
    ...lossInWords(analysis),
    ...fractionsInWords(tokens),
  ];
}

function lossInWords({ dead, layers }: Analysis): string[] {
  const sentences = [];
  if (dead.length > 0) sentences.push(`Dead: GPU ${dead.join(", ")}; imbalances are among the others.`);
  const losing = layers.filter(({ lost }) => lost.length > 0);
  if (losing.length > 0) {
    const lost = losing.reduce((sum, layer) => sum + layer.lost.length, 0);
    const share = losing.reduce((sum, layer) => sum + layer.unserved, 0) / losing.length;
    sentences.push(
      `Lost: ${plural(lost, "expert")} without a slot on a living GPU in ${plural(losing.length, "layer")}, which on average get`,
      `${(100 * share).toFixed(1)} % of the tokens there; none of these figures counts those tokens. plan repairs it.`,
    );
  }
  return sentences;
}
