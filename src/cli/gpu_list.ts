import { InvalidArgumentError, Option } from "commander";
import { MAX_GPUS } from "./options.ts";

/** Reads "3,7" and "8-15,20": GPUs, ascending, each once. */
export function gpuList(text: string): number[] {
  const gpus = new Set<number>();
  for (const part of text.split(",")) {
    const [, first, last = first] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part.trim()) ?? [];
    if (first === undefined || Number(last) < Number(first) || Number(last) >= MAX_GPUS) {
      throw new InvalidArgumentError("Expected GPUs, as in 3,7 or 8-15.");
    }
    for (let g = Number(first); g <= Number(last); g++) gpus.add(g);
  }
  return [...gpus].sort((a, b) => a - b);
}

export function deadOption(): Option {
  return new Option("--dead <gpus>", "GPUs that died, as in 3,7 or 8-15").argParser(gpuList);
}
