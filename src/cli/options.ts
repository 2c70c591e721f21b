import { InvalidArgumentError, Option } from "commander";

/** A parser of option values. */
export function integer(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Expected an integer from ${least} to ${most}.`);
  };
}

export const MAX_GPUS = 1024;

export function gpusOption(): Option {
  return new Option("--gpus <n>", "GPUs that share the experts").argParser(integer(1, MAX_GPUS)).makeOptionMandatory();
}

export function placementOption(): Option {
  return new Option(
    "--placement <file>",
    "placement in force, JSON as SGLang, vLLM, EPLB, LPLB or TensorRT-LLM have it",
  );
}

export function redundantOption(): Option {
  return new Option("--redundant <n>", "replicas besides one of each expert").argParser(integer(0, 2 ** 20));
}

export const loadsArgument = "JSON or .json.gz with loads [steps][layers][experts], - for standard input";
