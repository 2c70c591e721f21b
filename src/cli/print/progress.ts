import { SingleBar } from "cli-progress";

/** A progress line on stderr, if that is a terminal; `onProgress` takes the share of the work that is done, 0 to 1. */
export async function withProgress<T>(
  doing: string,
  work: (onProgress: (share: number) => void) => Promise<T>,
): Promise<T> {
  const bar = new SingleBar({ format: `${doing} {bar} {percentage} %`, clearOnComplete: true });
  const clear = () => bar.stop();
  process.once("exit", clear); // Ctrl-C
  bar.start(1, 0);
  try {
    return await work((share) => bar.update(share));
  } finally {
    process.off("exit", clear);
    clear();
  }
}
