import { type Random, seeded } from "../../../src/common/random.ts";
import { adapted, backends, type GraphName, graphs, type State, sources } from "../../../web/playground/state.ts";

/** Any state that the page's controls can bring about. */
export function randomState(seed: number): State {
  const random = seeded(seed);
  const { below, next, pick } = random;
  const state: State = {
    place: pick(["eplb", "planner", "topology"] as const),
    topology: pick(Object.keys(graphs) as GraphName[]),
    gpus: 1 + below(24),
    experts: 1 + below(96),
    redundant: below(64),
    ...{ map: [], slots: [], placementFile: "", loadsFile: "", expected: [], batch: [] },
    loads: pick(sources.filter((one) => one !== "file")),
    skew: rounded(2 * next()),
    drift: rounded(next()),
    tokens: below(20_000),
    seed: below(2 ** 32),
    perExpert: rounded(10 * next()),
    perToken: 0.01 + rounded(next()),
    speed: [],
    dead: [],
    backend: pick(backends),
  };
  return withLists(adapted(state), random);
}

const rounded = (value: number) => Math.round(100 * value) / 100;

/** Of the sizes that the state has by now. */
function withLists(state: State, { below, next }: Random): State {
  const { experts, gpus } = state;
  const list = (length: number, value: () => number) => Array.from({ length: next() < 0.5 ? length : 0 }, value);
  const dead = [...Array(gpus).keys()].filter(() => next() < 0.1);
  return adapted({
    ...state,
    batch: list(experts, () => below(500)),
    speed: list(gpus, () => rounded(0.5 + next())),
    dead,
    ...(next() < 0.2 && { loads: "file", loadsFile: "a b, step 3 & more.json", expected: list(experts, next) }),
  });
}
