import { ArgumentError } from "../../common/errors.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";

export interface WaitingOptions {
  /** c, an integer from 1 to 10^7. */
  servers: number;
  /** lambda, arrivals per s, >= 0. */
  rate: number;
  /** s, the mean, > 0. */
  serviceTime: number;
  /** Coefficient of variation of the service time, >= 0. Default 1: exponential. */
  cv?: number;
  /** Of the quantile, from 0 to below 100. Default 95. */
  percentile?: number;
}

export interface WaitingTime {
  /** lambda / (c mu). */
  load: number;
  /** C(c, a): the probability that all servers are busy. */
  probability: number;
  /** s. */
  mean: number;
  /** s. */
  quantile: number;
}

const fields: FieldsOf<WaitingOptions> = {
  servers: true,
  rate: true,
  serviceTime: true,
  cv: true,
  percentile: true,
};

/** Beyond, the recursion takes too long. */
const MOST_SERVERS = 1e7;

/**
 * How long a request waits for one of c servers that are alike (M/G/c), by Erlang's C and the two-moment factor:
 *
 *   P(wait) = C(c, a), a = lambda / mu;   W = (1 + cv^2) / (2 (c mu - lambda)):   mean C W,  p-quantile max(0, W ln(C / (1 - p)))
 *
 * Exact for exponential service; else an approximation, some percent off (and exact in the mean for one server). A worker of `capacity` is
 * c = M E[o] / E[g] servers whose service takes b E[o]. Where rate >= c mu the queue grows: probability 1 and infinite times.
 *
 * @throws {ArgumentError} An option is out of its range.
 * @see A. Lee, P. Longton, OR Quarterly 10 (1959); A. Allen, Probability, Statistics and Queueing Theory (1990), for Allen and Cunneen.
 */
export function waitingTime(options: WaitingOptions): WaitingTime {
  requireObject("options", options, fields);
  const { servers, rate, serviceTime, cv = 1, percentile = 95 } = options;
  if (!(Number.isInteger(servers) && servers >= 1 && servers <= MOST_SERVERS))
    throw new ArgumentError("servers", `an integer from 1 to ${MOST_SERVERS}`, servers);
  requireNumber("rate", rate, rate >= 0, "a number >= 0");
  requireNumber("serviceTime", serviceTime, serviceTime > 0, "seconds, > 0");
  requireNumber("cv", cv, cv >= 0, "a number >= 0");
  requirePercentile(percentile);
  const offered = rate * serviceTime;
  const load = offered / servers;
  if (!(load < 1)) return { load, probability: 1, mean: Number.POSITIVE_INFINITY, quantile: Number.POSITIVE_INFINITY };
  const probability = erlangC(servers, offered);
  const scale = ((1 + cv ** 2) / 2) * (serviceTime / (servers * (1 - load)));
  const quantile = Math.max(0, scale * Math.log(probability / (1 - percentile / 100)));
  return { load, probability, mean: probability * scale, quantile };
}

/** By Erlang's B, whose recursion in c has no large numbers: B(k) = a B(k - 1) / (k + a B(k - 1)). */
function erlangC(servers: number, offered: number): number {
  let blocked = 1;
  for (let k = 1; k <= servers; k++) blocked = (offered * blocked) / (k + offered * blocked);
  return blocked / (1 - (offered / servers) * (1 - blocked));
}

function requireNumber(argument: string, value: number, good: boolean, expected: string): void {
  if (!(Number.isFinite(value) && good)) throw new ArgumentError(argument, expected, value);
}

/** @throws {ArgumentError} It is not from 0 to below 100. */
export function requirePercentile(percentile: number): void {
  requireNumber("percentile", percentile, percentile >= 0 && percentile < 100, "a number from 0 to below 100");
}
