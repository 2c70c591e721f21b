/** What the page and the thread that measures tell each other. */
import type { QuestionName } from "../../bench/questions.ts";
import type { Meta } from "../../bench/results_file.ts";
import type { Row } from "../../bench/row.ts";

export interface Order {
  questions: QuestionName[];
  quick: boolean;
}

/** Rows and notes are all that there are so far. */
export type Told =
  | { kind: "begun"; meta: Meta }
  | { kind: "measuring"; question: QuestionName; what: string; rows: Row[]; notes: string[] }
  /** Of a question alone, and the next is asked; or without one, and the run has ended. */
  | { kind: "fault"; question?: QuestionName; message: string }
  | { kind: "done"; rows: Row[]; notes: string[] };
