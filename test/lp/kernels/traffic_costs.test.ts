/** What the header of traffic.wgsl states of its memory and its barriers, against the code. */
import { expect, test } from "vitest";
import { trafficBytes } from "../../../src/lp/kernels/traffic.ts";
import { figure, kernels, section } from "../../helpers/wgsl.ts";

const shader = kernels.find(({ stem }) => stem === "traffic")!;
const { code } = shader;

/** Bytes of a type of WGSL. */
function bytesOf(type: string, values: Record<string, number>): number {
  const array = /^array<(.+), (.+)>$/.exec(type);
  return array ? bytesOf(array[1], values) * figure(array[2].replace("2u", "2"), values) : 4;
}

test("has the workgroup memory that its header states", () => {
  const [, formula] = /^(.*) bytes/.exec(section(shader, "Workgroup")!)!;
  const variables = [...code.matchAll(/^var<workgroup> \w+: (.+);/gm)];
  for (const [GPUS, EXCHANGES] of [
    [32, 128],
    [320, 1024],
  ]) {
    const values = { GPUS, EXCHANGES, WG: 64 };
    const bytes = variables.reduce((sum, [, type]) => sum + bytesOf(type, values), 0);
    expect(figure(formula, values)).toBe(bytes);
    expect(trafficBytes({ gpus: GPUS, exchanges: EXCHANGES } as Parameters<typeof trafficBytes>[0])).toBe(bytes);
  }
});

/** Barriers of a function's body without the loop in it, or of that loop, those of functions that it calls among them. */
function barriers(name: string, inLoop = false): number {
  const [, body] = new RegExp(`\\nfn ${name}\\(.*\\{\\n([\\s\\S]*?)\\n\\}`).exec(code)!;
  const [loop] = /\n {2}loop \{\n[\s\S]*?\n {2}\}/.exec(body) ?? [""];
  const text = inLoop ? loop : body.replace(loop, "");
  const count = (call: string) => text.split(`${call}(`).length - 1;
  const called = ["least_of", "exchange", "amount_to"].filter((other) => other !== name);
  const own = count("workgroupBarrier") + count("storageBarrier") + 2 * count("workgroupUniformLoad");
  return called.reduce((sum, other) => sum + (count(other) > 0 ? count(other) * barriers(other) : 0), own);
}

test("has the barriers that its header states", () => {
  const stated = /^(\d+) barriers per path, (\d+) in each round of its search, and (\d+) for each exchange/.exec(
    section(shader, "Barriers")!,
  )!;
  const once = ["begin_search", "move_on", "push"].map((name) => barriers(name));
  const last = 2; // the load that ends the loop of push
  const perPath = once.reduce((a, b) => a + b) + last;
  expect(stated.slice(1).map(Number)).toEqual([perPath, barriers("search", true), barriers("push", true)]);
});
