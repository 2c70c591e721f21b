import { useState } from "preact/hooks";
import { type Content, unpacked } from "../../src/cli/files/content.ts";
import { type DroppedFile, FileDrop } from "../shell/file_drop.tsx";
import { Message } from "../shell/message.tsx";
import { NumberInput, Select } from "./inputs.tsx";
import {
  type Kind,
  kinds,
  type Opened,
  openedAs,
  openedByContent,
  type Recorded,
  withLoads,
  withPlacement,
} from "./opened.ts";
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
  layer: number;
  step: number;
}

const kindNames: Record<Kind, string> = {
  placement: "a placement",
  loads: "loads of experts",
  ids: "top-k ids",
  problem: "a problem of the solver's",
};

/** Opens files of any form that the command line reads; of several layers or steps one is chosen. */
export function Files({ state, onState, onRecorded }: FilesProps) {
  const [open, setOpen] = useState<readonly Chosen[]>([]);
  const [error, setError] = useState<string>();
  const show = (next: Chosen) => {
    const { recorded, placements } = next.opened;
    onState((one) => stateWith(one, next));
    if (recorded) onRecorded(recorded, layerIn(recorded, next.layer));
    // It takes the place of what said the same before.
    const others = open.filter(({ opened }) => !(recorded && opened.recorded) && !(placements && opened.placements));
    setOpen([...others, next]);
    setError(undefined);
  };
  const read = (content: Content, opened: Opened) =>
    show({ content, opened, layer: opened.placements?.keys().next().value ?? 0, step: 0 });
  const trying = async (act: () => void | Promise<void>) => {
    try {
      await act();
    } catch (cause) {
      setError((cause as Error).message);
    }
  };
  const take = async (file: DroppedFile) => {
    const content = await unpacked(file);
    read(content, openedByContent(content, state.gpus));
  };
  return (
    <div class="files">
      <FileDrop label="Open a file" onFile={(file) => trying(() => take(file))} />
      {error && <Message kind="error">{error}</Message>}
      {open
        .filter((one) => isShown(state, one))
        .map((one) => (
          <OpenFile
            key={one.opened.name + one.opened.kind}
            chosen={one}
            gpus={state.gpus}
            onKind={(kind, gpus) => trying(() => read(one.content, openedAs(kind, one.content, gpus)))}
            onChoice={show}
          />
        ))}
    </div>
  );
}

interface OpenFileProps {
  chosen: Chosen;
  gpus: number;
  onKind(kind: Kind, gpus: number): void;
  onChoice(chosen: Chosen): void;
}

function OpenFile({ chosen, gpus, onKind, onChoice }: OpenFileProps) {
  const { opened, layer, step } = chosen;
  const { kind, name, warnings, placements, recorded } = opened;
  const layers = placements ? [...placements.keys()] : [...Array(recorded?.layers ?? 1).keys()];
  return (
    <fieldset>
      <legend>{name}</legend>
      <Select
        label="Read as"
        values={kinds}
        value={kind}
        nameOf={(one) => kindNames[one]}
        onChange={(one) => onKind(one, gpus)}
      />
      <div class="pair">
        {kind === "placement" && (
          <NumberInput label="For GPUs" field={fields.gpus} value={gpus} onChange={(n) => onKind(kind, n)} />
        )}
        <Numbers label="Layer" values={layers} value={layer} onChange={(one) => onChoice({ ...chosen, layer: one })} />
        <Numbers
          label="Step"
          values={[...Array(recorded?.steps ?? 1).keys()]}
          value={step}
          onChange={(one) => onChoice({ ...chosen, step: one })}
        />
      </div>
      {warnings.map((warning) => (
        <Message kind="status" key={warning}>
          {warning}
        </Message>
      ))}
    </fieldset>
  );
}

/** Another placement or other loads may have taken its place. */
function isShown(
  { place, placementFile, loads, loadsFile }: State,
  { opened: { name, placements, recorded } }: Chosen,
): boolean {
  const isPlaced = placements !== undefined && place === "file" && placementFile.startsWith(name);
  return isPlaced || (recorded !== undefined && loads === "file" && loadsFile.startsWith(name));
}

function stateWith(state: State, { opened, layer, step }: Chosen): State {
  const { name, placements, recorded, speed, dead } = opened;
  let next = state;
  if (placements)
    next = withPlacement(next, placements.size > 1 ? `${name}, layer ${layer}` : name, placements.get(layer)!);
  if (recorded) next = withLoads(next, recorded, layerIn(recorded, layer), step);
  return opened.kind === "problem" ? { ...next, speed: speed ?? [], dead: dead ?? [] } : next;
}

/** Of a problem, whose placement is one for all, there is one layer. */
const layerIn = ({ layers }: Recorded, layer: number) => Math.min(layer, layers - 1);

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
