/** Reads a file of one format, line by line. */
export interface FormatReader<T> {
  line(text: string, number: number): void;
  end(): T;
}

export interface Format<T> {
  /** What it looks like, for messages. */
  looks: string;
  /** How sure it is by a file's first line: 1 where it is of this format, 0 where it is not, between where a field is missing. */
  likeness(first: string): number;
  /** @param first  the first line; its reader has read it. */
  open(first: string, number: number): FormatReader<T>;
}
