import { Message, Progress } from "../shell/message.tsx";
import { Choice, NumberInput, Range, Select } from "./inputs.tsx";
import { backends, fields, type GraphName, graphs, MOST, placers, type State, sources, speedField } from "./state.ts";
import type { Search } from "./use_planner.ts";

export interface ControlsProps {
  state: State;
  change(part: Partial<State>): void;
}

const placerNames: Record<State["place"], string> = {
  eplb: "EPLB (greedy, by expected loads)",
  planner: "Planner (searches for what balances best)",
  topology: "A replica graph of LPLB",
  file: "From a file",
};

export function PlacementControls({ state, change, search }: ControlsProps & { search: Search }) {
  const { place, topology, gpus, experts, redundant, map, placementFile } = state;
  const own = place === "file" ? placers : placers.filter((one) => one !== "file");
  const fixed = state.loads === "file";
  return (
    <fieldset>
      <legend>Placement</legend>
      <Select
        label="Placed by"
        values={own}
        value={place}
        nameOf={(one) => placerNames[one]}
        onChange={(next) => change({ place: next })}
      />
      {place === "topology" && (
        <Select
          label="Replica graph"
          values={Object.keys(graphs) as GraphName[]}
          value={topology}
          nameOf={(one) => graphs[one].name}
          onChange={(next) => change({ topology: next })}
        />
      )}
      {place === "file" ? (
        <p class="faint">
          {placementFile}: {experts} experts in {map.length} slots of {gpus} GPUs.
        </p>
      ) : (
        <div class="pair">
          {place !== "topology" && (
            <NumberInput label="GPUs" field={fields.gpus} value={gpus} onChange={(value) => change({ gpus: value })} />
          )}
          <NumberInput
            label="Experts"
            field={fields.experts}
            value={experts}
            step={place === "topology" ? gpus : 1}
            disabled={fixed}
            onChange={(value) => change({ experts: value })}
          />
          {place !== "topology" && (
            <NumberInput
              label="Redundant replicas"
              field={fields.redundant}
              value={redundant}
              step={gpus}
              onChange={(value) => change({ redundant: Math.min(value, MOST.slots - experts) })}
            />
          )}
        </div>
      )}
      {place === "planner" && <PlannerControls found={map.length > 0} search={search} />}
    </fieldset>
  );
}

function PlannerControls({ found, search }: { found: boolean; search: Search }) {
  const { share, start, stop, said } = search;
  if (share !== undefined) return <Progress label="Searching" done={share} onStop={stop} />;
  return (
    <>
      <p class="faint">
        {found ? "Found by the planner, for the expected loads." : "EPLB's placement, from which the search begins."}
      </p>
      <button type="button" onClick={start}>
        {found ? "Search again" : "Search for ten seconds"}
      </button>
      {said && <Message kind="status">{said}</Message>}
    </>
  );
}

const sourceNames: Record<State["loads"], string> = {
  lognormal: "Lognormal popularity",
  zipf: "Zipf's popularity",
  file: "From a file",
};

export function LoadControls({ state, change }: ControlsProps) {
  const { loads, skew, drift, tokens, seed, loadsFile, batch } = state;
  const own = loads === "file" ? sources : sources.filter((one) => one !== "file");
  const again = { batch: [] }; // what was drawn by hand is of other loads
  return (
    <fieldset>
      <legend>Loads</legend>
      <Select
        label="Tokens per expert"
        values={own}
        value={loads}
        nameOf={(one) => sourceNames[one]}
        onChange={(next) => change({ loads: next, ...again })}
      />
      {loads === "file" ? (
        <p class="faint">{loadsFile}</p>
      ) : (
        <>
          <Range label="Skew" value={skew} max={2} onChange={(value) => change({ skew: value, ...again })} />
          <Range
            label="Drift since the experts were placed"
            value={drift}
            max={1}
            onChange={(value) => change({ drift: value, ...again })}
          />
          <div class="pair">
            <NumberInput
              label="Tokens"
              field={fields.tokens}
              value={tokens}
              step={1024}
              onChange={(value) => change({ tokens: value, ...again })}
            />
            <NumberInput
              label="Seed"
              field={fields.seed}
              value={seed}
              onChange={(value) => change({ seed: value, ...again })}
            />
          </div>
          {batch.length > 0 && (
            <button type="button" onClick={() => change(again)}>
              Undo what was drawn by hand
            </button>
          )}
        </>
      )}
    </fieldset>
  );
}

const backendNames: Record<State["backend"], string> = { auto: "auto", cpu: "CPU", webgpu: "WebGPU" };

export function CostControls({ state, change }: ControlsProps) {
  const { perExpert, perToken, backend } = state;
  return (
    <fieldset>
      <legend>Time and solver</legend>
      <p class="faint">An expert with tokens takes the longer of reading its weights and computing them.</p>
      <div class="pair">
        <NumberInput
          label="us per expert"
          field={fields.perExpert}
          value={perExpert}
          step="any"
          onChange={(value) => change({ perExpert: value })}
        />
        <NumberInput
          label="us per token"
          field={fields.perToken}
          value={perToken}
          step="any"
          onChange={(value) => change({ perToken: value })}
        />
      </div>
      <Choice
        label="Solve on"
        values={backends}
        value={backend}
        nameOf={(one) => backendNames[one]}
        onChange={(next) => change({ backend: next })}
      />
    </fieldset>
  );
}

/** Speeds, and who died. */
export function GpuControls({ state, change, gpus }: ControlsProps & { gpus: number }) {
  const { speed, dead } = state;
  const speeds = Array.from({ length: gpus }, (_, g) => speed[g] ?? 1);
  return (
    <details class="gpus">
      <summary>GPUs: speeds and failures</summary>
      <ul>
        {speeds.map((value, g) => (
          <li key={g}>
            <NumberInput
              label={`Speed of GPU ${g}`}
              field={speedField}
              value={value}
              step="any"
              onChange={(next) => change({ speed: speeds.with(g, next) })}
            />
            <label>
              <input
                type="checkbox"
                checked={dead.includes(g)}
                onChange={({ currentTarget: { checked } }) =>
                  change({ dead: checked ? [...dead, g].sort((a, b) => a - b) : dead.filter((one) => one !== g) })
                }
              />
              dead
            </label>
          </li>
        ))}
      </ul>
    </details>
  );
}
