/** What happens to requests at a worker. */
export interface Events {
  started(id: number, now: number): void;
  evicted(id: number): void;
  /** The gap before a token that did not follow from the step before it. */
  gap(seconds: number): void;
  finished(id: number, now: number): void;
}
