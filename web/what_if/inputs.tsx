/** Inputs whose values are fields of the settings. */
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import type { Problem } from "./question.ts";
import { defaults, type Field, fieldNames, type Settings } from "./settings.ts";

export interface FormProps {
  settings: Settings;
  problems: readonly Problem[];
  onChange(change: Partial<Settings>): void;
}

interface InputProps extends FormProps {
  field: Field;
  /** What it means, or how it is written. */
  hint?: string;
  disabled?: boolean;
  numeric?: true;
}

export function TextInput({ settings, problems, onChange, field, hint, disabled, numeric }: InputProps) {
  const id = useId();
  const wrong = problems.some((problem) => problem.field === field);
  // The hint stands beside the label, as it is no part of the name.
  return (
    <div class="field">
      <label for={id}>{fieldNames[field]}</label>
      <input
        id={id}
        type="text"
        inputMode={numeric ? "decimal" : undefined}
        spellcheck={false}
        autocomplete="off"
        value={settings[field]}
        disabled={disabled}
        aria-invalid={wrong}
        aria-describedby={hint ? `${id}-hint` : undefined}
        onInput={({ currentTarget }) => onChange({ [field]: currentTarget.value })}
      />
      {hint && (
        <small id={`${id}-hint`} class="faint">
          {hint}
        </small>
      )}
    </div>
  );
}

interface SelectProps extends FormProps {
  field: Field;
  /** [value, what it is called] */
  options: readonly (readonly [string, string])[];
  disabled?: boolean;
}

/** A value that an address has and the list has not is shown as it stands. */
export function Select({ settings, onChange, field, options, disabled }: SelectProps) {
  const value = settings[field];
  const all = options.some(([known]) => known === value) ? options : [...options, [value, value] as const];
  return (
    <label class="field">
      <span>{fieldNames[field]}</span>
      <select
        value={value}
        disabled={disabled}
        onChange={({ currentTarget }) => onChange({ [field]: currentTarget.value })}
      >
        {all.map(([one, name]) => (
          <option key={one} value={one}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

interface ChoicesProps extends FormProps {
  field: Field;
  options: readonly { word: string; rule: string }[];
}

/** Some of a few. */
export function Choices({ settings, onChange, field, options }: ChoicesProps) {
  const chosen = settings[field].split(",");
  const toggled = (word: string) =>
    options.map((one) => one.word).filter((one) => (one === word ? !chosen.includes(one) : chosen.includes(one)));
  return (
    <fieldset class="choices">
      <legend>{fieldNames[field]}</legend>
      {options.map(({ word, rule }) => (
        <label key={word}>
          <input
            type="checkbox"
            checked={chosen.includes(word)}
            onChange={() => onChange({ [field]: toggled(word).join() })}
          />
          <span>
            {word} <small class="faint">{rule}</small>
          </span>
        </label>
      ))}
    </fieldset>
  );
}

export function Check({
  settings,
  onChange,
  field,
  children,
}: FormProps & { field: Field; children: ComponentChildren }) {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={settings[field] === defaults[field]}
        onChange={({ currentTarget }) => onChange({ [field]: currentTarget.checked ? defaults[field] : "no" })}
      />
      <span>{children}</span>
    </label>
  );
}
