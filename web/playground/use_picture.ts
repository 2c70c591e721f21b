import { useEffect, useRef, useState } from "preact/hooks";
import { type Picture, pictureOf } from "./picture.ts";
import { questionOf } from "./question.ts";
import { Solvers } from "./solvers.ts";
import type { State } from "./state.ts";

/** The picture of the state, or of the last one that had any, and why the state has none. */
export interface Shown {
  picture?: Picture;
  error?: string;
  busy: boolean;
}

/** Solves at once whatever the state has become; states that came in between are passed over. */
export function usePicture(state: State, onLost: (why: string) => void): Shown {
  const [shown, setShown] = useState<Shown>({ busy: true });
  const latest = useRef({ state, running: false, onLost });
  latest.current.state = state;
  latest.current.onLost = onLost;
  useEffect(() => {
    const { current } = latest;
    if (!current.running) run(current, setShown);
  }, [state]);
  return shown;
}

const solvers = new Solvers();

type Latest = { state: State; running: boolean; onLost: (why: string) => void };

async function run(latest: Latest, show: (change: (shown: Shown) => Shown) => void): Promise<void> {
  latest.running = true;
  let state: State;
  do {
    state = latest.state;
    show((shown) => ({ ...shown, busy: true }));
    try {
      const question = questionOf(state);
      const picture = pictureOf(question, await solvers.solve(question));
      show(() => ({ picture, busy: false }));
    } catch (error) {
      const { message } = error as Error;
      solvers.close();
      if (state.backend === "webgpu") latest.onLost(message);
      else show(({ picture }) => ({ picture, error: message, busy: false }));
    }
  } while (latest.state !== state);
  latest.running = false;
}
