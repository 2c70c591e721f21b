import type { RoutingPolicy } from "../../serving/policy.ts";
import { routing } from "../../serving/routing/routing.ts";

/** Routing policies by the names that the command line has for them. */
const routes = {
  "round-robin": () => routing.roundRobin(),
  "first-fit": () => routing.firstFit(),
  "least-requests": () => routing.leastRequests(),
  "least-kv": () => routing.leastKv(),
  "power-of-two": () => routing.powerOfTwo(),
  "waiting-running": () => routing.waitingRunning(),
  "consistent-hash": () => routing.consistentHash(),
  "cache-aware": () => routing.cacheAware(),
  lmetric: () => routing.lmetric(),
  bfio: (horizon?: number) => routing.bfio({ horizon }),
} satisfies Record<string, (horizon?: number) => RoutingPolicy>;

export type Route = keyof typeof routes;

export const routeNames = Object.keys(routes) as Route[];

/** The one to beat: simulated beside all others. */
export const REFERENCE: Route = "least-kv";

/** What is simulated where nobody asks for others: what is usual, what is good, and what looks ahead. */
export const defaultRoutes: readonly Route[] = ["round-robin", REFERENCE, "bfio"];

/** @param horizon  of bfio, its own by default. */
export function policyOf(route: Route, horizon?: number): RoutingPolicy {
  return routes[route](horizon);
}

/** The reference first, where it is not among them. */
export function withReference(asked: readonly Route[]): Route[] {
  return asked.includes(REFERENCE) ? [...asked] : [REFERENCE, ...asked];
}
