import { useState } from "preact/hooks";
import { type QuestionName, questions } from "../../bench/questions.ts";
import { efforts } from "../../bench/timing.ts";
import type { Order } from "./messages.ts";
import { minutesOf } from "./use_run.ts";
import { inMinutes } from "./words.ts";

/** What most readers want to know, in a minute or two. */
const FIRST: QuestionName[] = ["solve-latency", "solve-batch"];

interface ChooserProps {
  running: boolean;
  onStart(order: Order): void;
}

/** Which questions, and how carefully. */
export function Chooser({ running, onStart }: ChooserProps) {
  const [chosen, setChosen] = useState<ReadonlySet<QuestionName>>(new Set(FIRST));
  const [quick, setQuick] = useState(true);
  const askable = questions.filter((question) => !("notInPage" in question));
  const asked = askable.map(({ name }) => name).filter((name) => chosen.has(name));
  const minutes = asked.reduce((sum, name) => sum + minutesOf(name, quick), 0);
  const toggle = (name: QuestionName, on: boolean) =>
    setChosen(new Set(on ? [...chosen, name] : [...chosen].filter((other) => other !== name)));
  return (
    <form
      class="chooser"
      onSubmit={(event) => {
        event.preventDefault();
        onStart({ questions: asked, quick });
      }}
    >
      <fieldset disabled={running}>
        <legend>Questions</legend>
        <div class="row">
          <button type="button" onClick={() => setChosen(new Set(askable.map(({ name }) => name)))}>
            All
          </button>
          <button type="button" onClick={() => setChosen(new Set())}>
            None
          </button>
        </div>
        <ul class="questions">
          {askable.map(({ name, asks }) => (
            <li key={name}>
              <input
                type="checkbox"
                id={name}
                checked={chosen.has(name)}
                onChange={({ currentTarget }) => toggle(name, currentTarget.checked)}
              />
              <label for={name}>
                <code>{name}</code>
                <span>
                  <Sentence text={asks} />
                </span>
              </label>
              <span class="faint">{inMinutes(minutesOf(name, quick))}</span>
            </li>
          ))}
        </ul>
        {questions.map(
          (question) =>
            "notInPage" in question && (
              <p key={question.name} class="faint">
                <code>{question.name}</code> is asked on the command line alone: {question.notInPage}
              </p>
            ),
        )}
      </fieldset>
      <fieldset disabled={running}>
        <legend>How carefully</legend>
        <div class="row">
          <label>
            <input type="radio" name="effort" checked={quick} onChange={() => setQuick(true)} /> quick:{" "}
            {efforts.quick.samples} samples of each, half a second at most
          </label>
          <label>
            <input type="radio" name="effort" checked={!quick} onChange={() => setQuick(false)} /> full:{" "}
            {efforts.full.samples} samples, {efforts.full.budgetMs / 1e3} s at most, and larger topologies
          </label>
        </div>
      </fieldset>
      <div class="row">
        <button type="submit" class="primary" disabled={running || asked.length === 0}>
          Start
        </button>
        <span class="faint">
          {asked.length === 0
            ? "Choose a question."
            : `${asked.length === 1 ? "One question" : `${asked.length} questions`}, ${inMinutes(minutes)} where two cores are the GPU. Keep this tab in front, and the machine free of other work.`}
        </span>
      </div>
    </form>
  );
}

/** A question from its first letter on; what stands between backticks is code. */
function Sentence({ text }: { text: string }) {
  const parts = `${text[0].toUpperCase()}${text.slice(1)}`.split("`");
  return <>{parts.map((part, i) => (i % 2 === 1 ? <code key={i}>{part}</code> : part))}</>;
}
