import { useMemo, useRef, useState } from "preact/hooks";
import { Message } from "../shell/message.tsx";
import { CostControls, GpuControls, LoadControls, PlacementControls } from "./controls.tsx";
import { ExpertBars } from "./expert_bars.tsx";
import { Files } from "./files.tsx";
import { Lanes } from "./lanes.tsx";
import { historyOf, type Recorded } from "./opened.ts";
import { batchesOf } from "./question.ts";
import { Headline, Results } from "./results.tsx";
import { Share } from "./share.tsx";
import { adapted, type State } from "./state.ts";
import { stateOfAddress, useLink } from "./use_link.ts";
import { usePicture } from "./use_picture.ts";
import { usePlanner } from "./use_planner.ts";

export function Playground() {
  const [{ state, error: broken }, setShown] = useState(stateOfAddress);
  const [lost, setLost] = useState<string>();
  const recorded = useRef<{ loads: Recorded; layer: number }>();
  const update = (change: (state: State) => State) => setShown((shown) => ({ state: change(shown.state) }));
  const change = (part: Partial<State>) => {
    if (part.backend !== undefined) setLost(undefined);
    update((one) => adapted({ ...one, ...part }));
  };
  const link = useLink(state, () => setShown(stateOfAddress()));
  const { picture, error, busy } = usePicture(state, (why) => {
    setLost(`${why} The CPU answers instead.`);
    update((one) => ({ ...one, backend: "cpu" }));
  });
  const batches = useMemo(() => batchesOf(state), [state]);
  const search = usePlanner(
    state,
    () => {
      const file = state.loads === "file" && recorded.current;
      if (!file) return { loads: batches.history, steps: batches.steps };
      return { loads: historyOf(file.loads, file.layer), steps: file.loads.steps };
    },
    (map) => change({ place: "planner", map }),
  );
  const draw = (expert: number, tokens: number) => {
    update((one) => ({ ...one, batch: [...batchesOf(one).batch].with(expert, tokens) }));
  };
  return (
    <>
      <p class="lead">
        In a mixture-of-experts layer every GPU waits for the busiest one. Popular experts have replicas, and somebody
        must decide how many tokens go to which. Drag the loads, change the placement, and see what each way to split
        them costs, and the proof that none is better.
      </p>
      {broken && <Message kind="error">{broken}</Message>}
      {error && <Message kind="error">{error}</Message>}
      {lost && <Message kind="error">{lost}</Message>}
      {picture && <Headline picture={picture} />}
      <div class="work">
        <div class="controls">
          <Files
            state={state}
            onState={update}
            onRecorded={(loads, layer) => {
              recorded.current = { loads, layer };
            }}
          />
          <PlacementControls state={state} change={change} search={search} />
          <LoadControls state={state} change={change} />
          <CostControls state={state} change={change} />
          <Share link={link} onReset={() => change({ ...stateOfAddress().state })} />
        </div>
        <div class="stage" aria-busy={busy}>
          <h2>Tokens of each expert</h2>
          <p class="faint">
            Drag a bar, or use the keys: up and down change it, left and right go to the next, Home and End are none and
            most. The line is what the placement was made for. Experts in colour have several replicas.
          </p>
          {picture && (
            <>
              <ExpertBars
                loads={batches.batch}
                expected={batches.expected}
                placement={picture.placement}
                onChange={draw}
              />
              <h2>Where they go</h2>
              <Lanes picture={picture} />
              <GpuControls state={state} change={change} gpus={picture.placement.gpus} />
            </>
          )}
        </div>
      </div>
      {picture && <Results picture={picture} />}
    </>
  );
}
