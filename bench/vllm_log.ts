/**
 * What LLMServingSim's benchmark writes of a run of vLLM: times per request, and sums of what vLLM's own statistics count, by seconds.
 *
 * Three clocks: clients' (arrival_time), the engines' (the other times of a request) and the statistics' (ticks, of which nobody says when the first began).
 */
import type { Trace } from "../src/serving.ts";

/** One second of the statistics, of both workers together. */
export interface Tick {
  /** s, on the clock of the log. */
  start: number;
  end: number;
  /** Tokens of the prompts whose first token fell in it. */
  prompts: number;
  /** Tokens made in it. */
  generated: number;
  /** Requests that run at its last step. */
  running: number;
}

/** Times in s from the first arrival; requests in the order of their arrival. */
export interface RunLog extends Trace {
  /** [n] when it was taken from the queue: its prompt is in the next step that was not planned yet. */
  scheduled: Float64Array;
  /** [n] */
  firstToken: Float64Array;
  /** [n] */
  lastToken: Float64Array;
  ticks: Tick[];
}

type RequestLog = Omit<RunLog, "ticks">;

interface RequestLine {
  input_toks: number;
  output_toks: number;
  arrival_time: number;
  queued_ts: number;
  scheduled_ts: number;
  first_token_ts: number;
  last_token_ts: number;
}

/** s between two guesses of when the first tick began. */
const GUESS = 1e-3;

/**
 * @param requests  JSON Lines.
 * @param series  CSV: t, prompt_throughput, gen_throughput, running, ...: t is a tick's end, a tick lasts a second.
 * @throws {Error} Wherever the ticks' clock is set, they do not count the prompts that the requests' log has.
 */
export function readRunLog(requests: string, series: string): RunLog {
  const rows = requests
    .trim()
    .split("\n")
    .map((line): RequestLine => JSON.parse(line))
    .sort((a, b) => a.arrival_time - b.arrival_time);
  // The quickest handover from client to engine counts as none.
  const offset = Math.min(...rows.map((row) => row.queued_ts - row.arrival_time));
  const first = rows[0].arrival_time;
  const engine = (of: (row: RequestLine) => number) => Float64Array.from(rows, (row) => of(row) - offset - first);
  const log = {
    requests: rows.length,
    arrival: Float64Array.from(rows, (row) => row.arrival_time - first),
    input: Int32Array.from(rows, (row) => row.input_toks),
    output: Int32Array.from(rows, (row) => row.output_toks),
    scheduled: engine((row) => row.scheduled_ts),
    firstToken: engine((row) => row.first_token_ts),
    lastToken: engine((row) => row.last_token_ts),
  };
  return { ...log, ticks: onTheLogsClock(ticksOf(series), log) };
}

function ticksOf(series: string): Tick[] {
  const [head, ...lines] = series.trim().split(/\r?\n/);
  const names = head.split(",");
  return lines.map((line) => {
    const values = line.split(",").map(Number);
    const of = (name: string) => values[names.indexOf(name)];
    const [end, prompts, generated] = [of("t"), of("prompt_throughput"), of("gen_throughput")];
    return { start: end - 1, end, prompts, generated, running: of("running") };
  });
}

/** Ticks count a prompt when its first token comes: their clock is set so that each counts the prompts that the requests' log has in it. */
function onTheLogsClock(ticks: readonly Tick[], log: RequestLog): Tick[] {
  const fitting: number[] = [];
  for (let k = 0; k * GUESS < 1; k++) {
    const begin = -k * GUESS;
    if (ticks.every((tick) => tick.prompts === promptsIn(log, tick.start + begin, tick.end + begin)))
      fitting.push(begin);
  }
  if (fitting.length === 0) throw new Error("The ticks' prompts are not those of the requests.");
  const begin = fitting[fitting.length >> 1];
  return ticks.map((tick) => ({ ...tick, start: tick.start + begin, end: tick.end + begin }));
}

/** Tokens of the prompts whose first token came in [from, to). */
function promptsIn({ requests, firstToken, input }: RequestLog, from: number, to: number): number {
  let sum = 0;
  for (let i = 0; i < requests; i++) if (firstToken[i] >= from && firstToken[i] < to) sum += input[i];
  return sum;
}
