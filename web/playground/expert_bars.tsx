import { useRef, useState } from "preact/hooks";
import { count } from "../../src/cli/print/words.ts";
import type { Placement } from "../../src/index.ts";
import { huesOf } from "./colours.ts";

interface ExpertBarsProps {
  /** [E] tokens. */
  loads: ArrayLike<number>;
  /** [E] what the placement was made for. */
  expected: ArrayLike<number>;
  placement: Placement;
  onChange(expert: number, tokens: number): void;
}

/** A bar per expert, a slider each: dragged, or by keys. One of them is in the order of tabs, arrows lead to the others. */
export function ExpertBars({ loads, expected, placement, onChange }: ExpertBarsProps) {
  const [focused, setFocused] = useState(0);
  const hues = huesOf(placement);
  const bars = useRef<HTMLDivElement>(null);
  const most = useScale([...Array.from(loads), ...Array.from(expected)]);
  const inTabs = Math.min(focused, loads.length - 1);
  const focus = (expert: number) => {
    const next = Math.max(0, Math.min(loads.length - 1, expert));
    setFocused(next);
    (bars.current?.children[next] as HTMLElement | undefined)?.focus();
  };
  return (
    <div class="experts" ref={bars}>
      {Array.from(loads, (tokens, expert) => (
        <Bar
          key={expert}
          {...{ expert, tokens, most, focus, onChange }}
          expected={expected[expert]}
          replicas={placement.replicaCount[expert]}
          hue={hues[expert]}
          inTabs={expert === inTabs}
        />
      ))}
    </div>
  );
}

/** What a full bar is: it grows with the loads, and shrinks when they are much less, but not under a finger. */
function useScale(values: readonly number[]): number {
  const scale = useRef(1);
  const most = Math.max(1, ...values);
  if (most > scale.current || most < scale.current / 3) scale.current = Math.ceil(1.3 * most);
  return scale.current;
}

interface BarProps {
  expert: number;
  tokens: number;
  expected: number;
  replicas: number;
  hue: string;
  most: number;
  inTabs: boolean;
  focus(expert: number): void;
  onChange(expert: number, tokens: number): void;
}

function Bar({ expert, tokens, expected, replicas, hue, most, inTabs, focus, onChange }: BarProps) {
  const set = (value: number) => onChange(expert, Math.max(0, Math.min(most, Math.round(value))));
  const drag = (event: PointerEvent) => {
    const { bottom, height } = (event.currentTarget as HTMLElement).getBoundingClientRect();
    set(((bottom - event.clientY) / height) * most);
  };
  const step = Math.max(1, Math.round(most / 100));
  const keys: Record<string, () => void> = {
    ArrowUp: () => set(tokens + step),
    ArrowDown: () => set(tokens - step),
    PageUp: () => set(tokens + 10 * step),
    PageDown: () => set(tokens - 10 * step),
    Home: () => set(0),
    End: () => set(most),
    ArrowLeft: () => focus(expert - 1),
    ArrowRight: () => focus(expert + 1),
  };
  return (
    <div
      class="expert"
      role="slider"
      tabIndex={inTabs ? 0 : -1}
      aria-label={`Expert ${expert}`}
      aria-orientation="vertical"
      aria-valuemin={0}
      aria-valuemax={most}
      aria-valuenow={tokens}
      aria-valuetext={`${count(tokens)} tokens on ${replicas} ${replicas === 1 ? "replica" : "replicas"}`}
      title={`Expert ${expert}: ${count(tokens)} tokens, ${count(Math.round(expected))} expected, ${replicas} ${replicas === 1 ? "replica" : "replicas"}`}
      onKeyDown={(event) => {
        const act = keys[event.key];
        if (!act || event.altKey || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        act();
      }}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        focus(expert);
        drag(event);
      }}
      onPointerMove={(event) => {
        if (event.currentTarget.hasPointerCapture(event.pointerId)) drag(event);
      }}
    >
      <div class="load" style={{ height: `${(100 * tokens) / most}%`, "--hue": hue }} />
      <div class="expected" style={{ bottom: `${(100 * expected) / most}%` }} />
    </div>
  );
}
