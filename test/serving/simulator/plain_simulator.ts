/** The rules of the simulation once more, a step at a time and a worker after the other, with plain arrays: what the simulator is compared with. */
import type { StepTime } from "../../../src/serving/step_time.ts";
import type { Trace } from "../../../src/serving/trace/trace.ts";
import { encode, type PlainEmbeddings } from "./plain_embeddings.ts";

export interface PlainOptions {
  workers: { slots: number; kvTokens: number; stepTime?: StepTime }[];
  rounds: boolean;
  barrier: boolean;
  chunk: number;
  /** Evicted requests keep their tokens, but not their KV. */
  recompute: boolean;
  /** Some requests rest in some steps: see `restsIn`. */
  rests: boolean;
  /** By round robin, or by the least KV load. */
  by: "turn" | "load";
  embeddings?: PlainEmbeddings;
}

export interface Running {
  id: number;
  /** To be prefilled at its start, and now. */
  tokens: number;
  left: number;
  generated: number;
  rests: boolean;
  /** When it made its last token since it began. */
  last?: number;
  /** s of the next step that its images take: of the one in which its prefill begins. */
  encoding?: number;
}

/** By chance, as it were, but the first that runs never rests. */
export const restsIn = (step: number, id: number, index: number) => index > 0 && (id * 7 + step * 5) % 3 === 0;

interface PlainWorker {
  waiting: number[];
  running: Running[];
  /** When the step under way ends; undefined between two. */
  end: number | undefined;
  /** Done so far. */
  steps: number;
  /** Blocks from the least recently used on, of nobody and of running requests. */
  cache: number[];
  /** Images with embeddings, from the least recently used on. */
  images: number[];
}

export interface Plain {
  start: number[];
  firstToken: number[];
  finish: number[];
  worker: number[];
  evictions: number[];
  /** sum over steps of tokens that were made, and of prompt tokens that were found. */
  wasted: number;
  hits: number;
  /** Tokens that each has made before it was evicted. */
  made: number[];
  prompts: number;
  steps: number;
  /** Behind a barrier, of each step: when it begins, what it takes, what it takes at least wherever its requests are, and with even loads. */
  barrier: { at: number; time: number; bound: number; even: number }[];
  /** Sum and number of the gaps between tokens. */
  gaps: number;
  gapCount: number;
  /** Tokens of images that were looked up and found, and when. */
  images: { at: number; asked: number; found: number }[];
}

export function plainSimulation(trace: Trace, options: PlainOptions): Plain {
  const n = trace.requests;
  const none = () => new Array<number>(n).fill(-1);
  const plain: Plain = {
    ...{ start: none(), firstToken: none(), finish: none(), worker: none() },
    ...{
      evictions: new Array<number>(n).fill(0),
      made: new Array<number>(n).fill(0),
      wasted: 0,
      hits: 0,
      prompts: 0,
      steps: 0,
      barrier: [],
      gaps: 0,
      gapCount: 0,
      images: [],
    },
  };
  const workers: PlainWorker[] = options.workers.map(() => ({
    waiting: [],
    running: [],
    end: undefined,
    steps: 0,
    cache: [],
    images: [],
  }));
  let come = 0;
  let now = 0;
  const busy = () => workers.some(({ end }) => end !== undefined);
  while (come < n || busy() || workers.some(({ waiting }) => waiting.length > 0)) {
    const some = workers.some(({ end }) => end === now);
    for (const [g, worker] of workers.entries()) {
      if (worker.end === now || (options.barrier && some)) worker.steps++;
      if (worker.end === now) finishStep(trace, options, plain, worker, g, now);
    }
    while (come < n && trace.arrival[come] <= now) {
      const to = options.by === "turn" ? come % workers.length : leastLoaded(trace, workers, plain.made);
      plain.worker[come] = to;
      workers[to].waiting.push(come++);
    }
    if (!options.rounds || Number.isInteger(now)) beginSteps(trace, options, plain, workers, now);
    const ends = workers.flatMap(({ end }) => (end === undefined ? [] : [end]));
    const nextRound = workers.some(({ waiting, end }) => waiting.length > 0 && end === undefined)
      ? Math.floor(now) + 1
      : Infinity;
    now = Math.min(...ends, come < n ? trace.arrival[come] : Infinity, options.rounds ? nextRound : Infinity);
    if (now === Infinity) break;
  }
  return plain;
}

const heldBy = (trace: Trace, worker: PlainWorker) =>
  worker.running.reduce((sum, { id, generated }) => sum + trace.input[id] + generated, 0);

function leastLoaded(trace: Trace, workers: readonly PlainWorker[], made: readonly number[]): number {
  const loads = workers.map((worker) =>
    worker.waiting.reduce((sum, id) => sum + trace.input[id] + made[id], heldBy(trace, worker)),
  );
  return loads.indexOf(Math.min(...loads));
}

function beginSteps(trace: Trace, options: PlainOptions, plain: Plain, workers: PlainWorker[], now: number): void {
  if (options.barrier && workers.some(({ end }) => end !== undefined)) return;
  const durations = workers.map((worker, g) => {
    if (worker.end !== undefined) return 0;
    letIn(trace, options, plain, worker, g, now);
    plain.images.push({ at: now, ...encode(trace, options.embeddings, worker, prefilled(options, worker)) });
    return worker.running.length === 0 ? 0 : durationOf(trace, options, worker, g);
  });
  for (const [g, worker] of workers.entries()) {
    if (worker.end !== undefined || worker.running.length === 0) continue;
    worker.end = now + (options.barrier ? Math.max(...durations) : durations[g]);
  }
  if (options.barrier && durations.some((duration) => duration > 0)) {
    plain.steps++;
    plain.barrier.push({ at: now, ...barrierStep(trace, options, workers) });
  } else if (!options.barrier) plain.steps += durations.filter((duration) => duration > 0).length;
}

function letIn(trace: Trace, options: PlainOptions, plain: Plain, worker: PlainWorker, g: number, now: number): void {
  const { slots, kvTokens } = options.workers[g];
  const free = () => kvTokens - heldBy(trace, worker) - worker.running.length;
  let evicted = false;
  trimCache(trace, worker, free());
  const full = free() < 0;
  layToRest(options, worker);
  const short = full && heldBy(trace, worker) + stepping(worker).length > kvTokens;
  while (short && free() < 0) {
    const { id, generated } = worker.running.pop()!;
    worker.waiting.unshift(id);
    touch(trace, worker, id);
    plain.evictions[id]++;
    if (options.recompute) plain.made[id] = generated;
    else plain.wasted += generated;
    evicted = true;
  }
  while (!evicted && worker.waiting.length > 0 && worker.running.length < slots) {
    const [id] = worker.waiting;
    const tokens = trace.input[id] + plain.made[id];
    if (tokens + 1 > free()) break;
    worker.waiting.shift();
    const hit = Math.min(hitOf(trace, worker, id), tokens - 1);
    plain.prompts += tokens;
    plain.hits += hit;
    worker.running.push({ id, tokens, left: tokens - hit, generated: plain.made[id], rests: false });
    if (plain.start[id] < 0) plain.start[id] = now;
    touch(trace, worker, id);
    trimCache(trace, worker, free());
  }
  trimCache(trace, worker, free());
  layToRest(options, worker);
}

const stepping = (worker: PlainWorker) => worker.running.filter(({ rests }) => !rests);

function layToRest({ rests }: PlainOptions, worker: PlainWorker): void {
  for (const [i, one] of worker.running.entries())
    one.rests = rests && one.left === 0 && restsIn(worker.steps, one.id, i);
}

const blocksOf = ({ blocks }: Trace, id: number) =>
  blocks ? [...blocks.id.subarray(blocks.start[id], blocks.start[id + 1])] : [];

function hitOf(trace: Trace, worker: PlainWorker, id: number): number {
  const blocks = blocksOf(trace, id);
  const held = blocks.findIndex((block) => !worker.cache.includes(block));
  return Math.min((held < 0 ? blocks.length : held) * (trace.blocks?.tokens ?? 0), trace.input[id]);
}

/** The blocks of a prompt become the most recent ones, its first the last to go. */
function touch(trace: Trace, worker: PlainWorker, id: number): void {
  const blocks = blocksOf(trace, id);
  worker.cache = [...worker.cache.filter((block) => !blocks.includes(block)), ...blocks.reverse()];
}

function trimCache(trace: Trace, worker: PlainWorker, free: number): void {
  const used = new Set(worker.running.flatMap(({ id }) => blocksOf(trace, id)));
  const unused = worker.cache.filter((block) => !used.has(block));
  const most = Math.max(0, Math.floor(free / (trace.blocks?.tokens ?? 1)));
  const gone = new Set(unused.slice(0, Math.max(0, unused.length - most)));
  worker.cache = worker.cache.filter((block) => !gone.has(block));
}

/** What this step prefills of each, in order, within the chunk. */
function prefilled(options: PlainOptions, worker: PlainWorker): number[] {
  let budget = options.chunk;
  return worker.running.map(({ left }) => {
    const tokens = Math.min(left, budget);
    budget -= tokens;
    return tokens;
  });
}

function durationOf(trace: Trace, options: PlainOptions, worker: PlainWorker, g: number): number {
  if (options.rounds) return 1;
  const { base, perSequence, perKvToken, perPrefillToken, perContext } = options.workers[g].stepTime!;
  const running = stepping(worker);
  let seconds = base + perSequence * running.length + perKvToken * heldBy(trace, { ...worker, running });
  for (const [i, tokens] of prefilled(options, worker).entries()) {
    const before = worker.running[i].tokens - worker.running[i].left;
    seconds += perPrefillToken * tokens + (worker.running[i].encoding ?? 0);
    for (let t = 0; t < tokens; t++) seconds += perContext * (before + t + 0.5);
  }
  return seconds;
}

/** What each running request of a worker adds to its step; with rounds the tokens that it holds. */
function additions(trace: Trace, options: PlainOptions, worker: PlainWorker, g: number): number[] {
  const prefill = prefilled(options, worker);
  return worker.running.map((one, i) => {
    if (one.rests) return 0;
    const held = trace.input[one.id] + one.generated;
    if (options.rounds) return held;
    const { perSequence, perKvToken, perPrefillToken, perContext } = options.workers[g].stepTime!;
    const before = one.tokens - one.left;
    const context = prefill[i] * (before + prefill[i] / 2);
    return perSequence + perKvToken * held + perPrefillToken * prefill[i] + perContext * context + (one.encoding ?? 0);
  });
}

function barrierStep(trace: Trace, options: PlainOptions, workers: readonly PlainWorker[]) {
  const base = options.rounds ? 0 : options.workers[0].stepTime!.base;
  const adds = workers.map((worker, g) => additions(trace, options, worker, g));
  const sums = adds.map((some) => some.reduce((a, b) => a + b, 0));
  const even = sums.reduce((a, b) => a + b, 0) / workers.length;
  return {
    time: base + Math.max(...sums),
    bound: base + Math.max(even, ...adds.flat()),
    even: base + even,
  };
}

function finishStep(
  trace: Trace,
  options: PlainOptions,
  plain: Plain,
  worker: PlainWorker,
  g: number,
  now: number,
): void {
  worker.end = undefined;
  const done = prefilled(options, worker);
  for (const [i, one] of worker.running.entries()) {
    one.left -= done[i];
    if (one.left > 0 || one.rests) continue;
    one.generated++;
    if (one.last !== undefined) {
      plain.gaps += now - one.last;
      plain.gapCount++;
    }
    one.last = now;
    if (plain.firstToken[one.id] < 0) plain.firstToken[one.id] = now;
  }
  const finished = worker.running.filter(({ id, generated }) => generated === trace.output[id]);
  worker.running = worker.running.filter((one) => !finished.includes(one));
  // Of several that end at once the one with the lowest number leaves first.
  for (const { id } of finished.sort((a, b) => a.id - b.id)) {
    plain.finish[id] = now;
    plain.worker[id] = g;
    touch(trace, worker, id);
  }
}
