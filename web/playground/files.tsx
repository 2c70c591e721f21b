import { useState } from "preact/hooks";
import { type Content, unpacked } from "../../src/cli/files/content.ts";
import { type DroppedFile, FileDrop } from "../shell/file_drop.tsx";
import { Message } from "../shell/message.tsx";
import { NumberInput, Select } from "./inputs.tsx";
import { type Kind, kindOf, kinds, type Opened, openedAs, type Recorded, withLoads, withPlacement } from "./opened.ts";
import { fields, type State } from "./state.ts";

interface FilesProps {
  state: State;
  /** Takes what the state becomes. */
  onState(change: (state: State) => State): void;
  /** Takes the recording that the loads are of. */
  onRecorded(recorded: Recorded, layer: number): void;
}

interface Chosen {
  content: Content;
  opened: Opened;
  gpus: number;
  layer: number;
  step: number;
}

const kindNames: Record<Kind, string> = {
  placement: "a placement",
  loads: "loads of experts",
  ids: "top-k ids",
  problem: "a problem of the solver's",
};

/** Opens a file of any form that the command line reads; of several layers or steps one is chosen. */
export function Files({ state, onState, onRecorded }: FilesProps) {
  const [chosen, setChosen] = useState<Chosen>();
  const [error, setError] = useState<string>();
  const show = (next: Chosen) => {
    const { recorded } = next.opened;
    onState((one) => stateWith(one, next));
    if (recorded) onRecorded(recorded, Math.min(next.layer, recorded.layers - 1));
    setChosen(next);
    setError(undefined);
  };
  const open = (content: Content, kind: Kind, gpus: number) => {
    const opened = openedAs(kind, content, gpus);
    const layer = opened.placements?.keys().next().value ?? 0;
    show({ content, opened, gpus, layer, step: 0 });
  };
  const trying = (act: () => void) => {
    try {
      act();
    } catch (cause) {
      setError((cause as Error).message);
    }
  };
  const take = async (file: DroppedFile) => {
    try {
      const content = await unpacked(file);
      open(content, kindOf(content), state.gpus);
    } catch (cause) {
      setError((cause as Error).message);
    }
  };
  return (
    <div class="files">
      <FileDrop label="Open a file" onFile={take} />
      {error && <Message kind="error">{error}</Message>}
      {chosen && (
        <div class="row" role="group" aria-label={`What is shown of ${chosen.opened.name}`}>
          <Select
            label={`${chosen.opened.name} is`}
            values={kinds}
            value={chosen.opened.kind}
            nameOf={(kind) => kindNames[kind]}
            onChange={(kind) => trying(() => open(chosen.content, kind, chosen.gpus))}
          />
          {chosen.opened.kind === "placement" && (
            <NumberInput
              label="of GPUs"
              field={fields.gpus}
              value={state.gpus}
              onChange={(gpus) => trying(() => open(chosen.content, "placement", gpus))}
            />
          )}
          <Numbers
            label="layer"
            values={layersOf(chosen.opened)}
            value={chosen.layer}
            onChange={(layer) => show({ ...chosen, layer })}
          />
          <Numbers
            label="step"
            values={stepsOf(chosen.opened)}
            value={chosen.step}
            onChange={(step) => show({ ...chosen, step })}
          />
        </div>
      )}
      {chosen?.opened.warnings.map((warning) => (
        <Message kind="status" key={warning}>
          {warning}
        </Message>
      ))}
    </div>
  );
}

function stateWith(state: State, { opened, layer, step }: Chosen): State {
  const { name, placements, recorded, speed, dead } = opened;
  let next = state;
  if (placements)
    next = withPlacement(next, placements.size > 1 ? `${name}, layer ${layer}` : name, placements.get(layer)!);
  if (recorded) next = withLoads(next, recorded, Math.min(layer, recorded.layers - 1), step);
  return opened.kind === "problem" ? { ...next, speed: speed ?? [], dead: dead ?? [] } : next;
}

function layersOf({ placements, recorded }: Opened): number[] {
  return placements ? [...placements.keys()] : Array.from({ length: recorded?.layers ?? 1 }, (_, layer) => layer);
}

function stepsOf({ recorded }: Opened): number[] {
  return Array.from({ length: recorded?.steps ?? 1 }, (_, step) => step);
}

interface NumbersProps {
  label: string;
  values: readonly number[];
  value: number;
  onChange(value: number): void;
}

/** A choice where there is one. */
function Numbers({ label, values, value, onChange }: NumbersProps) {
  if (values.length < 2) return null;
  return (
    <Select
      label={label}
      values={values.map(String)}
      value={String(value)}
      nameOf={(one) => one}
      onChange={(one) => onChange(Number(one))}
    />
  );
}
