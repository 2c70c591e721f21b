/** What there is of a round: all workers' memory and slots. */
export interface Pool {
  /** G M, KV tokens. */
  memory: number;
  /** G B; Infinity without a limit. */
  slots: number;
}
