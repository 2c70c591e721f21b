import { threeFigures } from "../../src/cli/print/simulation_units.ts";
import { count, plural } from "../../src/cli/print/words.ts";
import { type Trace, writeTrace } from "../../src/serving.ts";
import { download } from "../shell/download.ts";
import { type DroppedFile, FileDrop } from "../shell/file_drop.tsx";
import { type FormProps, TextInput } from "./inputs.tsx";
import type { Measured } from "./measured.ts";
import { ownRateOf } from "./question.ts";

/** What a file has brought. */
export interface OpenedTrace {
  name: string;
  trace: Trace;
  measured: Measured | undefined;
}

interface TraceSourceProps extends FormProps {
  opened: OpenedTrace | undefined;
  /** The one that is simulated, where it is known. */
  trace: Trace | undefined;
  onFile(file: DroppedFile): void;
  onClose(): void;
}

/** A file, or the built-in trace. */
export function TraceSource({ opened, trace, onFile, onClose, ...form }: TraceSourceProps) {
  return (
    <fieldset>
      <legend>Trace</legend>
      <FileDrop label="Open a trace or a benchmark's result" accept=".json,.jsonl,.csv,.gz" onFile={onFile} />
      <p class="faint">
        Mooncake, Azure, BurstGPT, Vidur, AIPerf, or what vLLM's benchmark saves with --save-detailed; in gzip, too.
      </p>
      {opened ? (
        <>
          <p>
            <strong>{opened.name}</strong>: {traceInWords(opened.trace)}
          </p>
          <TextInput {...form} field="requests" hint={`empty: all ${count(opened.trace.requests)}`} numeric />
          {opened.measured && (
            <TextInput {...form} field="measuredWorkers" hint="for the throughput of each, in the plots" numeric />
          )}
          <button type="button" onClick={onClose}>
            Back to the generated trace
          </button>
        </>
      ) : (
        <>
          <p>A generated trace: one prompt in ten is long, as when documents come in among chats.</p>
          <div class="triple">
            <TextInput {...form} field="generated" numeric />
            <TextInput {...form} field="rate" numeric />
            <TextInput {...form} field="seed" numeric />
          </div>
          <button type="button" disabled={!trace} onClick={() => trace && save(trace)}>
            Download it
          </button>
        </>
      )}
    </fieldset>
  );
}

function traceInWords({ requests, arrival, input, output, ...rest }: Trace): string {
  const mean = (values: Int32Array) => count(Math.round(values.reduce((sum, value) => sum + value, 0) / requests));
  const rate = ownRateOf({ requests, arrival, input, output, ...rest });
  const when =
    rate === undefined
      ? "all at once"
      : `in ${threeFigures(arrival[requests - 1] - arrival[0])} s, ${threeFigures(rate)} requests/s`;
  return `${plural(requests, "request")} ${when}; ${mean(input)} prompt tokens and ${mean(output)} output tokens in the mean.`;
}

export const GENERATED = "generated_trace.jsonl";

async function save(trace: Trace): Promise<void> {
  const parts: string[] = [];
  for await (const part of writeTrace(trace, "mooncake")) parts.push(part);
  download(GENERATED, parts.join(""), "application/jsonl");
}
