import { between, IDLE_WATTS, type Totals } from "./meter.ts";
import type { Settings } from "./options.ts";
import { place, type Requests } from "./requests.ts";
import type { Summary } from "./simulated.ts";
import type { Simulation } from "./simulation.ts";
import { spreadOf } from "./spread.ts";

export function summaryOf(simulation: Simulation, settings: Settings): Summary {
  const { requests, end, from = end, meter } = simulation;
  // Where all begin at once there is no time between the first start and the last: then all of it counts.
  const to = simulation.to && simulation.to.time > from.time ? simulation.to : end;
  const span = between(from, to);
  const counted = countedOf(requests, settings.warmUp);
  const served = counted.filter((id) => requests.place[id] === place.served);
  const { start, firstToken, finish, arrival, output } = requests;
  const spread = (ids: Int32Array, of: (id: number) => number) => spreadOf(Float64Array.from(ids, of));
  const tpot = (id: number) => (finish[id] - firstToken[id]) / (output[id] - 1);
  const several = served.filter((id) => output[id] > 1);
  return {
    requests: counted.length,
    completed: served.length,
    rejected: counted.length - served.length,
    from: from.time,
    to: to.time,
    makespan: finish.reduce((last, time) => Math.max(last, time), 0),
    steps: end.steps,
    wait: spread(served, (id) => start[id] - arrival[id]),
    ttft: spread(served, (id) => firstToken[id] - arrival[id]),
    tpot: spread(several, tpot),
    itl: meter.gaps.spread(),
    latency: spread(served, (id) => finish[id] - arrival[id]),
    requestThroughput: finishedWithin(requests, from, to, () => true) / span.time,
    tokenThroughput: span.tokens / span.time,
    ...(settings.slo && { goodput: goodput(requests, from, to, settings.slo) }),
    queue: span.queue / span.time,
    ...sharesOf(simulation, settings, span),
    ...(settings.experts && { expertTime: span.expertTime / span.steps }),
    evictions: span.evictions,
    wastedTokens: span.wasted,
    energy: span.energy + IDLE_WATTS * settings.workers.length * span.time,
    ...(requests.trace.blocks && { prefixHit: span.hits / span.prompts }),
    ...(settings.embeddings && { embeddingHit: span.imageHits / span.images }),
    ...(requests.trace.class && { fairness: fairnessOf(requests, served) }),
  };
}

function countedOf({ count, arrival }: Requests, warmUp: number): Int32Array {
  return Int32Array.from({ length: count }, (_, id) => id).filter((id) => arrival[id] >= warmUp);
}

function finishedWithin(requests: Requests, from: Totals, to: Totals, good: (id: number) => boolean): number {
  let count = 0;
  for (let id = 0; id < requests.count; id++) {
    const time = requests.finish[id];
    if (time > from.time && time <= to.time && good(id)) count++;
  }
  return count;
}

function goodput(requests: Requests, from: Totals, to: Totals, slo: NonNullable<Settings["slo"]>): number {
  const { firstToken, arrival, finish, output, trace } = requests;
  const meets = (id: number) => {
    const own = "length" in slo ? (slo[trace.class?.[id] ?? 0] ?? {}) : slo;
    const { ttft = Number.POSITIVE_INFINITY, tpot = Number.POSITIVE_INFINITY } = own;
    return firstToken[id] - arrival[id] <= ttft && finish[id] - firstToken[id] <= tpot * Math.max(0, output[id] - 1);
  };
  return finishedWithin(requests, from, to, meets) / (to.time - from.time);
}

function sharesOf({ workers }: Simulation, { barrier }: Settings, span: Totals) {
  if (barrier) {
    const mean = (sum: number) => sum / span.steps;
    const { slotShares, kvShares, idleShares, imbalance } = span;
    const shares = {
      slotUse: mean(slotShares),
      kvUse: mean(kvShares),
      idle: mean(idleShares),
      imbalance: mean(imbalance),
    };
    const { stepTime, barrierBound, stepEven } = span;
    return { ...shares, stepTime, barrierBound, stepEven, routable: (stepTime - barrierBound) / stepTime };
  }
  const slots = workers.reduce((sum, worker) => sum + worker.slots, 0);
  const kvTokens = workers.reduce((sum, worker) => sum + worker.kvTokens, 0);
  return {
    slotUse: span.running / span.time / slots,
    kvUse: span.held / span.time / kvTokens,
    idle: 1 - span.busy / span.time / workers.length,
    imbalance: span.imbalance / span.time,
  };
}

/** Jain, Chiu, Hawe (1984): (sum x)^2 / (C sum x^2) of the classes' mean latency per output token. */
function fairnessOf(requests: Requests, served: Int32Array): number {
  const { arrival, finish, output, trace } = requests;
  const ofClass = new Map<number, { sum: number; count: number }>();
  for (const id of served) {
    const name = trace.class![id];
    const one = ofClass.get(name) ?? { sum: 0, count: 0 };
    one.sum += (finish[id] - arrival[id]) / output[id];
    one.count++;
    ofClass.set(name, one);
  }
  const means = [...ofClass.values()].map(({ sum, count }) => sum / count);
  const sum = means.reduce((a, b) => a + b, 0);
  return sum ** 2 / (means.length * means.reduce((a, b) => a + b ** 2, 0));
}
