import type { ComponentChildren } from "preact";

/** A sentence that is read out where it appears: at once for an error, when there is time for a status. */
export function Message({ kind, children }: { kind: "error" | "status"; children: ComponentChildren }) {
  return (
    <div class={`message ${kind}`} role={kind === "error" ? "alert" : "status"}>
      {children}
    </div>
  );
}

interface ProgressProps {
  /** What is being done. */
  label: string;
  /** From 0 to 1; not known where it is left out. */
  done?: number;
  onStop(): void;
}

export function Progress({ label, done, onStop }: ProgressProps) {
  return (
    <div class="progress">
      <label>
        {label} <progress value={done} />
      </label>
      <button type="button" onClick={onStop}>
        Stop
      </button>
    </div>
  );
}
