import { useRef, useState } from "preact/hooks";
import { optimizePlacement } from "../../src/index.ts";
import type { State } from "./state.ts";

const BUDGET_MS = 10_000;

export interface Search {
  /** Of the search that is under way, from 0 to 1. */
  share?: number;
  /** How the last one ended. */
  said?: string;
  start(): void;
  stop(): void;
}

/** @param history  [steps, E] earlier batches.  @param onFound  takes the expert in each slot. */
export function usePlanner(
  { gpus, redundant, experts, seed, speed }: State,
  history: () => { loads: ArrayLike<number>; steps: number },
  onFound: (map: number[]) => void,
): Search {
  const [share, setShare] = useState<number>();
  const [said, setSaid] = useState<string>();
  const running = useRef<AbortController>();
  const start = async () => {
    const controller = new AbortController();
    running.current = controller;
    setSaid(undefined);
    setShare(0);
    const begun = performance.now();
    const clock = setInterval(() => setShare(Math.min(1, (performance.now() - begun) / BUDGET_MS)), 200);
    try {
      const options = {
        gpus,
        redundant,
        seed,
        backend: "cpu" as const,
        budgetMs: BUDGET_MS,
        signal: controller.signal,
      };
      const recorded = { ...history(), layers: 1, experts };
      const { placements, layers, evaluations } = await optimizePlacement(
        recorded,
        speed.length === 0 ? options : { ...options, speed: [...speed] },
      );
      const [{ recorded: found }] = layers;
      onFound([...placements[0].physicalToLogical]);
      setSaid(`${evaluations.toLocaleString("en")} changes tried. On the expected loads: ${inWords(found)}.`);
    } catch (error) {
      setSaid(controller.signal.aborted ? "Stopped: the placement stays as it was." : (error as Error).message);
    } finally {
      clearInterval(clock);
      setShare(undefined);
    }
  };
  return { share, said, start: () => void start(), stop: () => running.current?.abort() };
}

const inWords = ({ before, after }: { before: number; after: number }) =>
  `imbalance ${before.toFixed(3)} with EPLB's placement, ${after.toFixed(3)} with this one, both split by the LP`;
