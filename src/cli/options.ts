import { InvalidArgumentError, Option } from "commander";

/** A parser of option values. */
export function integer(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Expected an integer from ${least} to ${most}.`);
  };
}

/** Of "3,7" or "8-15,20": ascending, each once; undefined for what is no such list. */
export function integersOf(text: string, least: number, most: number): number[] | undefined {
  const found = new Set<number>();
  for (const part of text.split(",")) {
    const [, first, last = first] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part.trim()) ?? [];
    if (first === undefined || Number(last) < Number(first)) return undefined;
    if (Number(first) < least || Number(last) > most) return undefined;
    for (let n = Number(first); n <= Number(last); n++) found.add(n);
  }
  return [...found].sort((a, b) => a - b);
}

export const MAX_GPUS = 1024;

export function gpusOption(): Option {
  return new Option("--gpus <n>", "GPUs that share the experts").argParser(integer(1, MAX_GPUS)).makeOptionMandatory();
}

export function placementOption(): Option {
  return new Option(
    "--placement <file>",
    "placement in force as SGLang, vLLM, vllm-ascend, EPLB, LPLB or TensorRT-LLM have it (JSON or YAML), or rows of experts",
  );
}

export function redundantOption(): Option {
  const help = "replicas besides one of each expert; by default one per GPU, or as many as fill the GPUs";
  return new Option("--redundant <n>", help).argParser(integer(0, 2 ** 20));
}

export function shapeOption(): Option {
  const help = "axes of raw ids, a byte each, the outermost first: steps=511,layers=24,tokens=292,k=4";
  return new Option("--shape <axes>", help);
}

export function expertsOption(): Option {
  const help = "experts of a layer; by default as many as the recording says, or the largest id + 1";
  return new Option("--experts <n>", help).argParser(integer(1, 2 ** 20));
}

export const loadsArgument =
  "JSON or .json.gz with loads [steps][layers][experts], or what SGLang or vLLM recorded; - for standard input";

/** A parser of option values: a finite number, above 0 or from 0 on. */
export function numberAbove(least: "above 0" | "from 0 on"): (text: string) => number {
  return (text) => {
    const value = Number(text);
    const good = least === "above 0" ? value > 0 : value >= 0;
    if (text.trim() !== "" && Number.isFinite(value) && good) return value;
    throw new InvalidArgumentError(`Expected a number ${least}.`);
  };
}

/** Where sources are told. */
export function slackOption(): Option {
  return new Option(
    "--slack <share>",
    "with sourceLoad: load up to (1 + share) times the least, for less traffic (default: 0)",
  ).argParser(numberAbove("from 0 on"));
}
