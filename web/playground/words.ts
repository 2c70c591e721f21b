/** Sentences and tables of a picture. */
import { count, decimalsOf, plural, ranges } from "../../src/cli/print/words.ts";
import type { Certificate } from "../../src/index.ts";
import { type Picture, type WayName, ways } from "./picture.ts";

export const wayNames: Record<WayName, string> = {
  first: "no replicas",
  even: "shared evenly",
  tokens: "token-optimal",
  time: "time-optimal",
};
/** Of the series of the plots. */
export const wayColours: Record<WayName, number> = { first: 0, even: 2, tokens: 1, time: 3 };

export const us = (time: number) => `${time.toFixed(Math.min(2, decimalsOf(time)))} us`;
export const times = (imbalance: number) => imbalance.toFixed(2);
/** Of loads over speeds, which need not be whole. */
const load = (value: number) => value.toLocaleString("en", { maximumFractionDigits: 2 });

const isAre = (n: number) => (n === 1 ? "is" : "are");
const gpuList = (gpus: readonly number[]) => `GPU${gpus.length === 1 ? "" : "s"} ${ranges(gpus)}`;

/** The proof of the least maximal load, in words. */
export function proofInWords({ proof, answers, ways, speed, active }: Picture): string {
  const { gpus, experts, inside } = proof;
  const { maxLoad, lowerBound, status } = answers.tokens;
  const living = active ? active.reduce((a, b) => a + b, 0) : speed.length;
  const equal = speed.every((v) => v === speed[0]);
  const who =
    gpus.length === living
      ? `All ${plural(inside, "token")} must be served by the ${plural(living, "GPU")}`
      : `${plural(inside, "token")}, those of ${plural(experts.length, "expert")}, can only be served on ${gpuList(gpus)}, where all their replicas are`;
  const quotient = equal
    ? `${count(inside)} / ${count(proof.speed)} = ${load(inside / proof.speed)}`
    : `${count(inside)} tokens over a speed of ${load(proof.speed)} is ${load(inside / proof.speed)}`;
  const whole = lowerBound[0] > inside / proof.speed ? `, in whole tokens ${load(lowerBound[0])}` : "";
  const end =
    status[0] === "optimal"
      ? "The token-optimal split attains it: no split does better."
      : `The split found has ${load(maxLoad[0])}, ${share(answers.tokens.gap[0])} more than this proves.`;
  const even = ways.even.maxLoad > maxLoad[0] ? ` Shared evenly, it is ${load(ways.even.maxLoad)}.` : "";
  return `${who}. So the busiest of them has at least ${quotient}${whole}. ${end}${even}`;
}

/** What is proven of time. */
export function timeProofInWords({ answers: { time } }: Picture): string {
  const { maxTime, timeBound, timeGap, timeProof, bottleneck, status } = time;
  const work =
    timeProof[0].rule === "work"
      ? "what their own experts take at least, however these are split"
      : "that each of their own experts takes at least the time of reading its weights once";
  const proven = `Time: on ${gpuList(bottleneck[0])} it follows from ${work}, that no split is done before ${us(timeBound[0])}.`;
  return status[0] === "optimal"
    ? `${proven} The time-optimal split is: proven, too.`
    : `${proven} The split found takes ${us(maxTime[0])}; the ${share(timeGap[0])} between are open.`;
}

const share = (part: number) => `${(100 * part).toPrecision(2)} %`;

/** Tokens whose experts died with their GPUs. */
export function lostInWords({ answers: { tokens } }: Picture): string | undefined {
  const { lost, unserved } = tokens;
  if (lost.length === 0) return undefined;
  return `${plural(lost.length, "expert")} (${ranges(lost)}) ${isAre(lost.length)} on no living GPU: ${plural(unserved[0], "token")} of theirs are served nowhere.`;
}

/** Who solved it, and why. */
export function solverInWords({ answers: { tokens, time, cpu } }: Picture): string {
  const { backend, adapter, reason } = tokens;
  const who = backend === "webgpu" ? `WebGPU, on ${adapter?.name}` : "the CPU";
  const solved = `Solved by ${who}. ${reason}`;
  if (!cpu) return solved;
  const [most, last] = [load(cpu.tokens.maxLoad[0]), us(cpu.time.maxTime[0])];
  const same = most === load(tokens.maxLoad[0]) && last === us(time.maxTime[0]);
  return `${solved} The CPU ${same ? "answers the same" : "answers"}: a maximum of ${most}, and ${last}.`;
}

export function movedInWords({ moves, answers }: Picture): string {
  const moved = moves.reduce((sum, { tokens }) => sum + tokens, 0);
  const all = answers.tokens.gpuLoad.reduce((a, b) => a + b, 0);
  const most = moves.length > MOST_MOVES ? ` The ${MOST_MOVES} largest of ${plural(moves.length, "move")}:` : "";
  if (moved === 0) return "Nothing has to move: the even split is optimal.";
  return `From the even to the token-optimal split ${plural(moved, "token")} of ${count(all)} go to another replica of their expert.${most}`;
}

/** Load and time of each GPU by each way, price, and who is in the bottleneck set. */
export function gpuTable(picture: Picture): string[][] {
  const { placement, speed, active, proof, answers } = picture;
  const plain = speed.every((v) => v === 1);
  const head = [
    "GPU",
    ...(plain ? [] : ["speed"]),
    ...ways.map((way) => wayNames[way]),
    ...ways.map((way) => `us, ${wayNames[way]}`),
    ...["price", "bottleneck"],
  ];
  const rows = Array.from({ length: placement.gpus }, (_, g) => [
    active?.[g] === 0 ? `${g} (dead)` : String(g),
    ...(plain ? [] : [String(speed[g])]),
    ...ways.map((way) => count(picture.ways[way].load[g])),
    ...ways.map((way) => us(picture.ways[way].time[g]).replace(" us", "")),
    answers.tokens.price[g] === 0 ? "0" : answers.tokens.price[g].toPrecision(3),
    proof.gpus.includes(g) ? "in S" : "",
  ]);
  return [head, ...rows];
}

/** More than that nobody reads. */
const MOST_MOVES = 24;

export function movesTable({ moves }: Picture): string[][] {
  const rows = moves
    .slice(0, MOST_MOVES)
    .map(({ expert, from, to, tokens }) => [`expert ${expert}`, `GPU ${from}`, `GPU ${to}`, count(tokens)]);
  return [["of", "from", "to", "tokens"], ...rows];
}

/** What `certify` looks at. */
export function certificateRows(certificate: Certificate): { claim: string; holds: boolean }[] {
  const { conserved, withinCapacity, loadsTrue, boundValid, timeTrue, timeBoundValid } = certificate;
  return [
    { claim: "Every token is served exactly once", holds: conserved },
    { claim: "No quota is negative, a fraction, or on a dead GPU", holds: withinCapacity },
    { claim: "Loads and their maximum are what the quotas give", holds: loadsTrue },
    { claim: "The bottleneck set proves the bound, and gives the prices", holds: boundValid },
    ...(timeTrue === undefined ? [] : [{ claim: "Times are what the quotas give", holds: timeTrue }]),
    ...(timeBoundValid === undefined ? [] : [{ claim: "The set proves that none is faster", holds: timeBoundValid }]),
  ];
}
