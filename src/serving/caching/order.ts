/** In which order the cached keys, by their places, go. What it is told about stands in it, except for what has been taken. */
export interface Order {
  /** A key has been admitted; it enters later, when room has been made for it. */
  arrives?(place: number): void;
  enter(place: number, size: number, cost: number): void;
  hit(place: number): void;
  /** The one that goes next, which stays; -1 where there is none. */
  first(): number;
  /** Out of the order, for the time being or for good. */
  take(place: number): void;
  /** What has been taken stands where it stood: nothing else that went before it has come. */
  putBack(place: number): void;
  /** What has been taken is no longer cached: evicted, or deleted by somebody. */
  gone?(place: number, evicted: boolean): void;
}
