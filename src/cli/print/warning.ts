/** Says on stderr, in one line, what the reader should know but need not mind. */
export function warn(message: string): void {
  console.error(oneLine(`evenkeel: warning: ${message}`));
}

/** A message may quote a file or an argument: no control character of it may reach the terminal. */
export function oneLine(text: string): string {
  return text.trim().replaceAll(/\p{Cc}+/gu, " ");
}
