import { InvalidArgumentError, Option } from "commander";
import { integersOf, MAX_GPUS } from "./options.ts";

/** Reads "3,7" and "8-15,20": GPUs, ascending, each once. */
export function gpuList(text: string): number[] {
  const gpus = integersOf(text, 0, MAX_GPUS - 1);
  if (gpus) return gpus;
  throw new InvalidArgumentError("Expected GPUs, as in 3,7 or 8-15.");
}

export function deadOption(): Option {
  return new Option("--dead <gpus>", "GPUs that died, as in 3,7 or 8-15").argParser(gpuList);
}
