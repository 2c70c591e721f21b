/** What the bench can be asked, in the order in which it is. What asks is in ask.ts. */

interface Described {
  name: string;
  asks: string;
  /** About how many minutes it takes, quick and full, where two cores are the GPU as well. */
  minutes: readonly [number, number];
  /** Why a page cannot ask it. */
  notInPage?: string;
}

export const questions = [
  {
    name: "cold-start", // first: nothing is compiled yet
    asks: "how long from `createSolver` to the first answer, on a device that has compiled nothing yet?",
    minutes: [0.3, 1],
  },
  {
    name: "solve-latency",
    asks: "how long does one LP take, end to end with readback, and how much of that is the round trip itself?",
    minutes: [0.3, 2],
  },
  {
    name: "solve-stages",
    asks: "where does the time of one call go: encode, submit, wait, read? And how far is the kernel from a copy of as many bytes?",
    minutes: [0.1, 0.1],
    notInPage: "its stages take microseconds, and a page's clock ticks too seldom for that.",
  },
  {
    name: "solve-batch",
    asks: "how long does an LP take in a large batch, against every other method?",
    minutes: [1, 6],
  },
  {
    name: "simd",
    asks: "what is the WebAssembly program of a topology worth, alone and in a call, beside exact JavaScript, exported C and the rivals, and what does making it cost?",
    minutes: [0.8, 6],
  },
  {
    name: "cuda",
    asks: "what does an LP take by exported CUDA, by batch, beside the same solve in WebGPU and on a core? Where there is a GPU of NVIDIA's",
    minutes: [1, 6],
    notInPage: "CUDA is compiled and run outside a browser.",
  },
  {
    name: "depth",
    asks: "how many operations does one LP take, how many of them wait for each other, and how many registers does a thread of the CUDA kernel need?",
    minutes: [0.1, 0.5],
  },
  { name: "tokens-modes", asks: "what do whole tokens cost over fractions?", minutes: [0.2, 1] },
  { name: "level", asks: "what does levelling cost on the CPU?", minutes: [0.2, 1] },
  {
    name: "time",
    asks: "what does balancing time cost over balancing tokens, what is it worth, and how far is it from what is proven?",
    minutes: [1, 6],
  },
  {
    name: "scaling-batch",
    asks: 'how does the time per LP fall with the batch, and does `"auto"` choose well at every size?',
    minutes: [1, 10],
  },
  {
    name: "scaling-gpus",
    asks: "how does the time per LP grow with the number of GPUs, up to EP320?",
    minutes: [0.5, 4],
  },
  {
    name: "balancer-stages",
    asks: "what do the balancer's stages cost at a million assignments, against a kernel that only copies as many bytes?",
    minutes: [0.1, 0.2],
  },
  {
    name: "placement-scale",
    asks: "how long does the search for placements take per layer, by GPUs, redundant experts and cores, and how balanced are steps that it has not seen, beside EPLB and the LP?",
    minutes: [1, 20],
  },
] as const satisfies readonly Described[];

export type QuestionName = (typeof questions)[number]["name"];

export const questionNames: readonly QuestionName[] = questions.map(({ name }) => name);

export function isQuestion(name: string): name is QuestionName {
  return questionNames.some((known) => known === name);
}
