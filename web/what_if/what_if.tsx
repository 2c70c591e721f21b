import { useEffect, useMemo, useState } from "preact/hooks";
import { plural } from "../../src/cli/print/words.ts";
import type { DroppedFile } from "../shell/file_drop.tsx";
import { Message } from "../shell/message.tsx";
import { Command } from "./command.tsx";
import { commandLine } from "./command_line.ts";
import { Form } from "./form.tsx";
import type { Thread } from "./jobs.ts";
import { type Problem, type Question, questionOf, stepTimeText } from "./question.ts";
import { Results } from "./results.tsx";
import type { Settings } from "./settings.ts";
import { GENERATED, type OpenedTrace, TraceSource } from "./trace_source.tsx";
import { useSettings } from "./use_settings.ts";
import { useSweep, type Work } from "./use_sweep.ts";

/** Requests of all scenarios: so few are simulated without being asked for, as soon as the page is there. */
const AT_ONCE = 100_000;

const isQuestion = (asked: Question | readonly Problem[]): asked is Question => "grid" in asked;

export function WhatIf({ thread }: { thread: Thread }) {
  const [settings, change, brokenLink] = useSettings();
  const [opened, setOpened] = useState<OpenedTrace>();
  const [stepTimeFile, setStepTimeFile] = useState("step_time.json");
  const [fileError, setFileError] = useState<string>();
  const asked = useMemo(() => questionOf(settings, opened?.trace), [settings, opened]);
  const { result, work, trouble, start, stop } = useSweep(thread);
  const question = isQuestion(asked) ? asked : undefined;
  const problems = isQuestion(asked) ? [] : asked;

  useEffect(() => {
    if (question && question.scenarios * question.trace.requests <= AT_ONCE) start(question);
  }, []);

  const open = async ({ name, bytes }: DroppedFile) => {
    setFileError(undefined);
    try {
      const file = await thread.run("open", { name, bytes });
      if (file.kind === "stepTime") {
        setStepTimeFile(name);
        change({ stepTime: stepTimeText(file.stepTime) });
      } else {
        setOpened({ name, trace: file.trace, measured: file.measured });
        change({ requests: "" });
      }
    } catch (error) {
      setFileError((error as Error).message);
    }
  };
  const startWith = (some: Partial<Settings>) => {
    change(some);
    const next = questionOf({ ...settings, ...some }, opened?.trace);
    if (isQuestion(next)) start(next);
  };
  const form = { settings, problems, onChange: change };
  const measuredWorkers = Number(settings.measuredWorkers);
  const run = useMemo(
    () => opened?.measured && { ...opened.measured, workers: measuredWorkers > 0 ? measuredWorkers : 1 },
    [opened, measuredWorkers],
  );
  const line = commandLine(settings, opened?.name ?? GENERATED, settings.stepTime === "" ? "" : stepTimeFile);
  return (
    <div class="work">
      <div class="controls">
        {brokenLink && <Message kind="error">{brokenLink}</Message>}
        <TraceSource
          {...form}
          opened={opened}
          trace={question?.trace}
          onFile={open}
          onClose={() => setOpened(undefined)}
        />
        {fileError && <Message kind="error">{fileError}</Message>}
        <Form {...form} />
        {problems.map((problem) => (
          <Trouble key={problem.sentence} {...problem} kind="error" onChoose={change} />
        ))}
        <StartOrStop question={question} work={work} onStart={start} onStop={stop} />
        {trouble && <Trouble {...trouble} remedies={trouble.remedy && [trouble.remedy]} onChoose={startWith} />}
      </div>
      <div class="stage" aria-busy={work !== undefined}>
        {result ? (
          <>
            {!work && result.question !== question && (
              <Message kind="status">
                These are the answers to the settings before. Start asks with the present ones.
              </Message>
            )}
            <Results result={result} run={result.question.trace === opened?.trace ? run : undefined} />
          </>
        ) : (
          <p class="faint">Answers appear here.</p>
        )}
        <Command line={line} />
      </div>
    </div>
  );
}

interface StartOrStopProps {
  /** Undefined where something is wrong with the settings. */
  question: Question | undefined;
  work: Work | undefined;
  onStart(question: Question): void;
  onStop(): void;
}

/** One button, so that who uses the keyboard stays where he is. */
function StartOrStop({ question, work, onStart, onStop }: StartOrStopProps) {
  const onClick = work ? onStop : () => question && onStart(question);
  return (
    <div class="start">
      <button type="button" class="primary" disabled={!work && !question} onClick={onClick}>
        {work ? "Stop" : "Start"}
      </button>
      {work ? (
        <label>
          {work.name} <progress value={work.share} />
        </label>
      ) : (
        question && (
          <span class="faint">
            {plural(question.scenarios, "scenario")} of {plural(question.trace.requests, "request")}
          </span>
        )
      )}
    </div>
  );
}

interface TroubleProps {
  kind: "error" | "status";
  sentence: string;
  remedies?: readonly { name: string; change: Partial<Settings> }[];
  onChoose(change: Partial<Settings>): void;
}

function Trouble({ kind, sentence, remedies = [], onChoose }: TroubleProps) {
  return (
    <Message kind={kind}>
      {sentence}
      {remedies.length > 0 && (
        <div class="row">
          {remedies.map(({ name, change }) => (
            <button key={name} type="button" onClick={() => onChoose(change)}>
              {name}
            </button>
          ))}
        </div>
      )}
    </Message>
  );
}
