/** Inputs whose values are fields of the state. */
import { useId, useState } from "preact/hooks";
import type { Field } from "./state.ts";

interface NumberInputProps {
  label: string;
  field: Field<number>;
  value: number;
  step?: number | "any";
  disabled?: boolean;
  onChange(value: number): void;
}

/** Says what is wrong beside the number that is; the state keeps the last that was right. */
export function NumberInput({ label, field, value, step = 1, disabled, onChange }: NumberInputProps) {
  const [error, setError] = useState<string>();
  const [typed, setTyped] = useState<string>(); // or what draws the page anew meanwhile would write over it
  const id = useId();
  return (
    <label class="field">
      <span>{label}</span>
      <input
        type="number"
        inputMode="decimal"
        step={step}
        value={typed ?? value}
        disabled={disabled}
        aria-invalid={error !== undefined}
        aria-describedby={error === undefined ? undefined : id}
        onInput={({ currentTarget }) => setTyped(currentTarget.value)}
        onChange={({ currentTarget }) => {
          setTyped(undefined);
          try {
            onChange(field.read(label, currentTarget.value));
            setError(undefined);
          } catch (cause) {
            setError((cause as Error).message);
          }
        }}
      />
      {error && (
        <span class="wrong" id={id} role="alert">
          {error}
        </span>
      )}
    </label>
  );
}

interface RangeProps {
  label: string;
  value: number;
  max: number;
  onChange(value: number): void;
}

export function Range({ label, value, max, onChange }: RangeProps) {
  return (
    <label class="field">
      <span>
        {label} <output>{value.toFixed(2)}</output>
      </span>
      <input
        type="range"
        min={0}
        max={max}
        step={0.05}
        value={value}
        onInput={({ currentTarget }) => onChange(Number(currentTarget.value))}
      />
    </label>
  );
}

interface ChoiceProps<T extends string> {
  label: string;
  values: readonly T[];
  value: T;
  nameOf(value: T): string;
  onChange(value: T): void;
}

/** One of a few, all in sight. */
export function Choice<T extends string>({ label, values, value, nameOf, onChange }: ChoiceProps<T>) {
  const name = useId();
  return (
    <div class="choice" role="radiogroup" aria-label={label}>
      {values.map((one) => (
        <label key={one} class={one === value ? "chosen" : undefined}>
          <input type="radio" name={name} checked={one === value} onChange={() => onChange(one)} />
          {nameOf(one)}
        </label>
      ))}
    </div>
  );
}

/** One of many. */
export function Select<T extends string>({ label, values, value, nameOf, onChange }: ChoiceProps<T>) {
  return (
    <label class="field">
      <span>{label}</span>
      <select value={value} onChange={({ currentTarget }) => onChange(currentTarget.value as T)}>
        {values.map((one) => (
          <option key={one} value={one}>
            {nameOf(one)}
          </option>
        ))}
      </select>
    </label>
  );
}
