import { fcfs } from "./fcfs.ts";

/** Which of a worker's requests run: each makes a policy. */
export const scheduling = { fcfs };
