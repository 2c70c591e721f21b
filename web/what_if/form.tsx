import { defaultStepTime } from "../../src/cli/reports/default_step_time.ts";
import { Check, Choices, type FormProps, Select, TextInput } from "./inputs.tsx";
import { routings, schedulings } from "./policies.ts";
import { stepTimeText } from "./question.ts";

/** All that is asked beside the trace. */
export function Form(props: FormProps) {
  const { settings } = props;
  const isDrawn = settings.arrivals === "poisson";
  const isPredicted = settings.schedule.split(",").includes("svf");
  const isSeeded = isDrawn || (isPredicted && settings.prediction.startsWith("factor"));
  return (
    <>
      <fieldset>
        <legend>Workers</legend>
        <TextInput {...props} field="workers" hint="as in 1-8 or 2,4,8" />
        <div class="pair">
          <TextInput {...props} field="slots" numeric />
          <TextInput {...props} field="kvTokens" numeric />
        </div>
        <StepTimeChoice {...props} />
        <div class="pair">
          <TextInput {...props} field="chunk" hint="empty: whole prompts" numeric />
          <Select {...props} field="eviction" options={evictions} />
        </div>
        <Select {...props} field="tooLarge" options={tooLarge} />
      </fieldset>
      <fieldset>
        <legend>Traffic</legend>
        <TextInput {...props} field="rates" hint="0.5x,1x,2x of the trace's own, or 10,20 requests/s" />
        <Select {...props} field="arrivals" options={arrivals} />
        <TextInput {...props} field="seeds" hint="of what is drawn" disabled={!isSeeded} numeric />
      </fieldset>
      <fieldset>
        <legend>Policies</legend>
        <Choices {...props} field="route" options={routings} />
        <Choices {...props} field="schedule" options={schedulings} />
        <Select {...props} field="prediction" options={predictions} disabled={!isPredicted} />
      </fieldset>
      <fieldset>
        <legend>SLO of a request</legend>
        <div class="pair">
          <TextInput {...props} field="ttft" numeric />
          <TextInput {...props} field="tpot" numeric />
        </div>
        <TextInput {...props} field="attainment" numeric />
        <Check {...props} field="breaking">
          Look for the rate at which each configuration breaks it
        </Check>
      </fieldset>
      <Select {...props} field="backend" options={backends} />
    </>
  );
}

const evictions = [
  ["recompute", "keep their tokens"],
  ["restart", "begin anew"],
] as const;
const tooLarge = [
  ["error", "are an error"],
  ["reject", "are rejected and counted"],
] as const;
const arrivals = [
  ["replay", "as in the trace, stretched"],
  ["poisson", "drawn (Poisson)"],
] as const;
const predictions = [
  ["exact", "exactly"],
  ["factor:1.5", "within a factor of 1.5"],
  ["factor:3", "within a factor of 3"],
  ["bins:100", "in bins of 100 tokens"],
] as const;
const backends = [
  ["auto", "GPU or CPU, as it is worth it"],
  ["webgpu", "GPU (WebGPU)"],
  ["cpu", "CPU"],
] as const;

/** The default, or what a file or an address has brought. */
function StepTimeChoice(props: FormProps) {
  const { stepTime } = props.settings;
  const options = [
    ["", "Qwen3-30B-A3B on an RTX PRO 6000"],
    ...(stepTime ? [[stepTime, "from a file"] as const] : []),
  ] as const;
  const [base, sequence, kv, prefill, context] = (stepTime || stepTimeText(defaultStepTime)).split(",");
  return (
    <>
      <Select {...props} field="stepTime" options={options} />
      <small class="faint">
        {base} s + {sequence} a request + {kv} a KV token + {prefill} a prompt token + {context} a query-key pair. Open
        a file of another, as fitStepTime gives it.
      </small>
    </>
  );
}
