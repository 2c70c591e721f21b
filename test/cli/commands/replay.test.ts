import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { readTopk } from "../../../src/cli/files/read_files.ts";
import type { ReplayReport } from "../../../src/cli/reports/replay_report.ts";
import { seeded } from "../../../src/common/random.ts";
import { maxLoads } from "../by_hand.ts";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-replay-"));
afterAll(() => rmSync(folder, { recursive: true }));

const [steps, layers, tokens, k, experts, gpus] = [8, 3, 50, 2, 8, 4];
const random = seeded(1);
/** [steps][layers][T][k], some experts being popular. */
const ids = Array.from({ length: steps }, () =>
  Array.from({ length: layers }, (_, layer) =>
    Array.from({ length: tokens }, () => {
      const first = Math.min(random.below(experts), random.below(experts));
      return [first, (first + 1 + random.below(experts - 1)) % experts].map((id) => (id + layer) % experts);
    }),
  ),
);
const file = join(folder, "ids.json");
writeFileSync(file, JSON.stringify(ids));
const shape = ["--gpus", `${gpus}`];

async function replay(args: string[], input?: Buffer): Promise<ReplayReport> {
  const { code, stdout, stderr } = await evenkeel(["replay", ...args, "--json"], withoutSoftware, input);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

function countsOf(tokenIds: number[][]): number[] {
  const counts = new Array<number>(experts).fill(0);
  for (const id of tokenIds.flat()) counts[id]++;
  return counts;
}

test("balances every step after the fit, to the optimum", async () => {
  const report = await replay([file, ...shape]);
  expect(report).toMatchObject({ layers, experts, gpus, topK: k, redundant: gpus, replayedSteps: [4, 5, 6, 7] });
  expect(report).toMatchObject({
    assignments: 4 * layers * tokens * k,
    outOfRange: 0,
    status: { optimal: 4 * layers },
  });
  expect(report.placedBy).toBe("EPLB by steps 0-3");
  expect(report.ms.median).toBeGreaterThan(0);
});

test("its imbalances are those of the ids under the placement in force", async () => {
  const map = [0, 1, 4, 2, 3, 5, 4, 5, 0, 6, 7, 2];
  const placement = join(folder, "placement.json");
  writeFileSync(placement, JSON.stringify({ phy2log: new Array(layers).fill(map) }));
  const report = await replay([file, ...shape, "--placement", placement, "--every", "3"]);
  expect(report.replayedSteps).toEqual([0, 3, 6]);
  for (let layer = 0; layer < layers; layer++) {
    const byHand = report.replayedSteps.map((step) => maxLoads(countsOf(ids[step][layer]), map, gpus));
    const perLoad = gpus / (tokens * k);
    for (const split of ["originals", "even", "solved"] as const) {
      const mean = byHand.reduce((sum, of) => sum + of[split] * perLoad, 0) / byHand.length;
      expect(report.perLayer[layer][split].mean).toBeCloseTo(mean, 12);
    }
  }
});

test("the same figures from WebGPU, whose own ratios are f32", async () => {
  const run = async (backend: string): Promise<ReplayReport> => {
    const { code, stdout } = await evenkeel(["replay", file, ...shape, "--every", "4", "--backend", backend, "--json"]);
    expect(code).toBe(0);
    return JSON.parse(stdout);
  };
  const [webgpu, cpu] = [await run("webgpu"), await run("cpu")];
  expect([webgpu.backend, cpu.backend]).toEqual(["webgpu", "cpu"]);
  expect(webgpu.perLayer).toEqual(cpu.perLayer);
});

test("raw bytes, whatever the order of their axes, in gzip and from standard input", async () => {
  const expected = await replay([file, ...shape]);
  const without = ({ source, ms, ...rest }: ReplayReport) => rest;
  const inOrder = Buffer.from(ids.flat(3));
  const byStep = await replay(
    ["-", ...shape, "--shape", `steps=${steps},layers=${layers},tokens=${tokens},k=${k}`],
    inOrder,
  );
  expect(byStep.source).toBe("standard input");
  expect(without(byStep)).toEqual(without(expected));
  const bytes: number[] = [];
  for (let t = 0; t < tokens; t++)
    for (let s = 0; s < steps; s++) for (let l = 0; l < layers; l++) bytes.push(...ids[s][l][t]);
  const path = join(folder, "ids.u8.gz");
  writeFileSync(path, gzipSync(Buffer.from(bytes)));
  const byToken = await replay([path, ...shape, "--shape", `tokens=${tokens},steps=${steps},layers=${layers},k=${k}`]);
  expect(without(byToken)).toEqual(without(expected));
});

test("steps may differ in their tokens, be padded, and name experts that are not there", async () => {
  const uneven = {
    topk_ids: [
      [
        [
          [0, 1],
          [2, 3],
        ],
      ],
      [
        [
          [3, 0],
          [1, -1],
          [9, 2],
        ],
      ],
    ],
  };
  const report = await replay(
    ["-", "--gpus", "2", "--experts", "4", "--redundant", "2"],
    Buffer.from(JSON.stringify(uneven)),
  );
  expect(report).toMatchObject({ replayedSteps: [1], assignments: 4, outOfRange: 1 });
});

describe("a token never has an expert twice", () => {
  const total = steps * layers * tokens;
  const few = "Check the order of the axes; padding is -1, in raw bytes an id beyond --experts.";

  /** Tokens of the given ids [.., k] that have one twice. */
  const twice = (all: number[][]) => all.filter((token) => new Set(token).size < token.length).length;

  test.each([
    ["k and tokens", `steps=${steps},layers=${layers},k=${k},tokens=${tokens}`],
    ["all of them", `k=${k},tokens=${tokens},layers=${layers},steps=${steps}`],
  ])("raw bytes with %s in another order are refused", async (_, axes) => {
    const { code, stdout, stderr } = await evenkeel(
      ["replay", "-", ...shape, "--json", "--shape", axes],
      withoutSoftware,
      Buffer.from(ids.flat(3)),
    );
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(
      /^evenkeel: standard input: expected an expert once in each of the 1,200 tokens, got "[\d,]+ tokens with one twice"\. .+\n$/,
    );
    expect(stderr).toContain(few);
  });

  test("JSON [steps][layers][k][T] is refused, with the number of tokens", async () => {
    const turned = ids.map((step) => step.map((layer) => [0, 1].map((rank) => layer.map((token) => token[rank]))));
    const found = twice(turned.flat(2)); // of 50 ids of 8 experts
    expect(found).toBe(steps * layers * k);
    const { code, stderr } = await evenkeel(
      ["replay", "-", ...shape],
      withoutSoftware,
      Buffer.from(JSON.stringify(turned)),
    );
    expect(code).toBe(2);
    expect(stderr).toContain(`each of the ${found} tokens, got "${found} tokens with one twice".`);
  });

  test.each([
    ["a few of many", (i: number) => i < 12, 12], // 1 %
    ["fewer", (i: number) => i === 700, 1],
  ])("%s get a warning, in one line, and stdout is as ever", async (_, isBad, bad) => {
    const odd = Uint8Array.from(ids.flat(3));
    for (let i = 0; i < total; i++) if (isBad(i)) odd[i * k + 1] = odd[i * k];
    const axes = `steps=${steps},layers=${layers},tokens=${tokens},k=${k}`;
    const args = ["replay", "-", ...shape, "--json", "--shape", axes];
    const { code, stdout, stderr } = await evenkeel(args, withoutSoftware, Buffer.from(odd));
    expect({ code, steps: JSON.parse(stdout).replayedSteps }).toEqual({ code: 0, steps: [4, 5, 6, 7] });
    const what = `${bad} ${bad === 1 ? "token" : "tokens"} of 1,200 with an expert twice`;
    expect(stderr).toBe(`evenkeel: warning: standard input: ${what}. ${few}\n`);
  });

  test.each([
    [13, 1200, 2], // more than 1 %
    [3, 4, 2],
    [2, 24, 0], // so few say nothing, however large a part they are
  ])("%i of %i tokens: exit code %i", async (bad, all, expected) => {
    const some = Array.from({ length: all }, (_, t) => (t < bad ? [t % 3, t % 3] : [t % 4, (t + 1) % 4]));
    const { code, stderr } = await evenkeel(
      ["replay", "-", "--gpus", "2"],
      withoutSoftware,
      Buffer.from(JSON.stringify([some])),
    );
    expect(code).toBe(expected);
    expect(stderr).toMatch(/^evenkeel: .+\n$/);
  });

  test("padding is no expert: -1 in JSON, in raw bytes ids beyond --experts", async () => {
    const padded = ids.map((step) => step.map((layer) => [...layer, [-1, -1]]));
    await replay(["-", ...shape], Buffer.from(JSON.stringify(padded))); // which checks that stderr is empty
    const raw = Buffer.from(ids.flat(2).flatMap((token, i) => (i % 2 === 0 ? token : [255, 255])));
    const axes = `steps=${steps},layers=${layers},tokens=${tokens},k=${k}`;
    const { outOfRange } = await replay(["-", ...shape, "--experts", `${experts}`, "--shape", axes], raw);
    expect(outOfRange).toBe(total / 2);
  });
});

test("reads as many steps as there are", async () => {
  const many = join(folder, "many.json"); // more than a call takes arguments
  writeFileSync(many, JSON.stringify(Array.from({ length: 200_000 }, (_, step) => [[[step % 4, (step + 1) % 4]]])));
  const { steps, maxTokens, largestId } = await readTopk(many);
  expect({ steps, maxTokens, largestId }).toEqual({ steps: 200_000, maxTokens: 1, largestId: 3 });
});

test("a summary for people", async () => {
  const { code, stdout } = await evenkeel(["replay", file, ...shape, "--backend", "cpu"], withoutSoftware);
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^imbalance +mean +95th percentile\nno replicas +\d\.\d{3} +\d\.\d{3}\neven split .+\nbalanced .+$/m,
  );
  expect(stdout).toMatch(/1,200\s+assignments\s+in\s+4\s+steps\s+x\s+3\s+layers/);
  expect(stdout).toMatch(/12\s+optimal/);
});
