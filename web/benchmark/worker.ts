/** Measures, in a thread of its own: the page can be used meanwhile, and what it draws is in nobody's time. */
import { ask } from "../../bench/ask.ts";
import { Bench } from "../../bench/harness.ts";
import type { QuestionName } from "../../bench/questions.ts";
import { lossError } from "../../src/gpu/loss.ts";
import { requestDevice } from "../../src/index.ts";
import type { Order, Told } from "./messages.ts";
import { pageMeta } from "./page_meta.ts";

const LOSS_MS = 500;

addEventListener("message", ({ data }: MessageEvent<Order>) => {
  measure(data).catch((error: Error) => tell({ kind: "fault", message: error.message }));
});

async function measure({ questions, quick }: Order): Promise<void> {
  const { device, adapter } = await requestDevice();
  let asked: QuestionName = questions[0];
  const measuring = (what: string) => {
    const { rows, notes } = bench;
    tell({ kind: "measuring", question: asked, what, rows, notes });
  };
  const bench = new Bench(device, quick, measuring);
  const lost = device.lost.then((info): never => {
    throw lossError(info, "Rows that were measured before are kept. Start again, perhaps with fewer questions.");
  });
  tell({ kind: "begun", meta: await Promise.race([pageMeta(device, adapter), lost]) });
  for (asked of questions) {
    measuring(asked);
    // A lost device ends the run, and is told of a moment after calls have failed by it; what else goes wrong is of one question.
    const failed = async ({ message }: Error) => {
      await new Promise((resolve) => setTimeout(resolve, LOSS_MS));
      tell({ kind: "fault", question: asked, message });
    };
    await Promise.race([ask[asked](bench).catch(failed), lost]);
  }
  tell({ kind: "done", rows: bench.rows, notes: bench.notes });
}

function tell(told: Told): void {
  postMessage(told);
}
