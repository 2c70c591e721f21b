// A live router: the policy objects that the simulator compares, driven by what a router sees. Requests come, each decision is timed, engines
// stream tokens back; how many requests run or wait at an engine, and the tokens that they hold, are the router's own counts.
//
//   node scripts/run.mjs examples/router.ts [SECONDS]
//
// The engines are timers that make a token per request and step; the rest is what stands in a gateway. Each policy has its SECONDS (1).
import { setTimeout as sleep } from "node:timers/promises";
import { type RequestView, type Router, type RoutingPolicy, routing, type WorkerView } from "evenkeel/serving";

const ENGINES = 8;
const SLOTS = 64;
const KV_TOKENS = 200_000;
const STEP_MS = 10;
const REQUESTS_PER_S = 300;

/** A request from its arrival to its last token: the router's own record is the view that a policy gets. */
interface Request extends RequestView {
  generated: number;
  /** Told by the last token in a real gateway. */
  readonly output: number;
}

/** An engine behind its stream: the first SLOTS requests run, the others wait. */
class Engine {
  readonly requests: Request[] = [];

  step(): Request[] {
    const batch = this.requests.slice(0, SLOTS);
    for (const request of batch) request.generated++;
    const done = batch.filter(({ generated, output }) => generated >= output);
    for (const request of done) this.requests.splice(this.requests.indexOf(request), 1);
    return done;
  }

  view(index: number): WorkerView {
    const running = this.requests.slice(0, SLOTS);
    const held = running.reduce((sum, { input, generated }) => sum + input + generated, 0);
    const waiting = this.requests.slice(SLOTS).reduce((sum, { input }) => sum + input, 0);
    return {
      ...{ index, running, batch: running.length, waiting: this.requests.length - running.length },
      freeSlots: SLOTS - running.length,
      freeKv: KV_TOKENS - held - running.length,
      load: held + waiting,
    };
  }
}

interface Report {
  decisions: number;
  medianUs: number;
  p99Us: number;
  /** Mean over steps of the largest load / the mean load. */
  imbalance: number;
}

async function live(policy: RoutingPolicy, seconds: number): Promise<Report> {
  const router = policy.create({ workers: ENGINES, seed: 1 });
  const engines = Array.from({ length: ENGINES }, () => new Engine());
  const waiting = new Map<number, Request>();
  const us: number[] = [];
  const ratios: number[] = [];
  const start = performance.now();
  let next = 0;
  for (let now = 0; now < seconds; now = (performance.now() - start) / 1e3) {
    for (const engine of engines) for (const { id } of engine.step()) router.finished?.(id);
    for (; next < now * REQUESTS_PER_S; next++) {
      const request = requestOf(next, now);
      waiting.set(next, request);
      router.arrived(request);
    }
    const views = engines.map((engine, index) => engine.view(index));
    us.push(...decide(router, views, waiting, engines, now));
    const loads = engines.map((engine, index) => engine.view(index).load!);
    const mean = loads.reduce((a, b) => a + b) / ENGINES;
    if (mean > 0) ratios.push(Math.max(...loads) / mean);
    await sleep(STEP_MS);
  }
  us.sort((a, b) => a - b);
  const at = (share: number) => us[Math.floor(share * (us.length - 1))];
  return {
    decisions: us.length,
    medianUs: at(0.5),
    p99Us: at(0.99),
    imbalance: ratios.reduce((a, b) => a + b) / ratios.length,
  };
}

/** One call of the policy, and where it sends each. @returns the time of a decision, for each. */
function decide(
  router: Router,
  views: readonly WorkerView[],
  waiting: Map<number, Request>,
  engines: readonly Engine[],
  now: number,
): number[] {
  if (waiting.size === 0) return [];
  const pairs = new Int32Array(2 * waiting.size);
  const start = performance.now();
  const count = router.assign(views, now, pairs);
  const us = ((performance.now() - start) * 1e3) / Math.max(1, count);
  for (let k = 0; k < count; k++) {
    const [id, to] = pairs.subarray(2 * k);
    engines[to].requests.push(waiting.get(id)!);
    waiting.delete(id);
  }
  return new Array<number>(count).fill(us);
}

/** Prompts of which each eighth is long, and short answers: the same for every policy. */
function requestOf(id: number, arrival: number): Request {
  const input = id % 8 === 0 ? 8000 : 200 + ((id * 37) % 400);
  const output = 20 + ((id * 53) % 100);
  return { id, arrival, input, output, generated: 0, predicted: output, session: id % 40 };
}

const seconds = Number(process.argv[2] ?? 1);
if (!(seconds > 0)) throw new Error(`SECONDS: expected a number > 0, got ${process.argv[2]}.`);
console.log(`${ENGINES} engines x ${SLOTS} slots, ${REQUESTS_PER_S} requests/s, ${seconds} s per policy\n`);
console.log("policy                 decisions   median us   p99 us   max / mean load");
for (const make of [
  routing.roundRobin,
  routing.leastKv,
  routing.powerOfTwo,
  routing.cacheAware,
  routing.lmetric,
  routing.bfio,
]) {
  const policy = make();
  const { decisions, medianUs, p99Us, imbalance } = await live(policy, seconds);
  const cells = [
    `${decisions}`.padStart(9),
    medianUs.toFixed(1).padStart(11),
    p99Us.toFixed(1).padStart(8),
    imbalance.toFixed(3).padStart(17),
  ];
  console.log(`${policy.name.padEnd(23)}${cells.join(" ")}`);
}
