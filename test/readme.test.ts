/** Figures in README are what its commands print, or what a committed benchmark says. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Row } from "../bench/harness.ts";
import { evenkeel, withoutSoftware } from "./cli/evenkeel.ts";
import { needsRecordedData, recordedDataPresent } from "./helpers/recorded.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const readme = readFileSync(join(root, "README.md"), "utf8");

/** The block of README that follows a command, as lines; "..." stands for lines left out. */
function blockAfter(command: string): string[] {
  const from = readme.indexOf(`\`${command}`);
  expect(from, command).toBeGreaterThan(0);
  const [, block] = readme.slice(from).split("```\n");
  return block.trimEnd().split("\n");
}

/** Says what is missing, rather than the whole of README. */
function expectInReadme(text: string): void {
  expect(readme.includes(text) || readme.replaceAll("\n", " ").includes(text) ? "" : text).toBe("");
}

/** Every line of the block that is not "..." is a line of the output. */
function expectShown(block: string[], stdout: string): void {
  const printed = new Set(stdout.split("\n").map((line) => line.trimEnd()));
  expect(block.length).toBeGreaterThan(3);
  expect(block.filter((line) => line !== "..." && !printed.has(line))).toEqual([]);
}

const folder = mkdtempSync(join(tmpdir(), "evenkeel-readme-"));
const loads = join(folder, "loads.json");
afterAll(() => rmSync(folder, { recursive: true }));

async function output(args: string[]): Promise<string> {
  const { code, stdout, stderr } = await evenkeel(args, withoutSoftware);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

describe("what the command line prints", () => {
  let demo: string;
  beforeAll(async () => {
    demo = await output(["demo", "--save", loads]);
  }, 120_000);

  test("demo", () => {
    const all = /^all +(\d\.\d\d) +(\d\.\d\d) +(\d\.\d\d) +([\d,]+) of ([\d,]+) +0$/m.exec(demo)!;
    const [, originals, even, solved, optimal, lps] = all;
    expectInReadme(`\
| ${lps} LPs | mean imbalance | proven optimal |
|---|---|---|
| experts in order, no replicas | ${originals} | |
| EPLB, replicas share evenly | ${even} | |
| EPLB + evenkeel | ${solved} | ${optimal} |
`);
  });

  test("analyze", async () => {
    const [command, ...args] = ["analyze", loads, "--gpus", "8"];
    const block = blockAfter("npx evenkeel analyze loads.json --gpus 8");
    expectShown(block, await output([command, ...args]));
    const [lp, saved] = block[3].match(/\d\.\d{3}/g)!.slice(2);
    expectInReadme(`would lower the imbalance of ${lp} by ${saved}.`);
  });

  test("plan", async () => {
    const block = blockAfter("npx evenkeel plan loads.json --gpus 8 --redundant 8");
    expectShown(block, await output(["plan", loads, "--gpus", "8", "--redundant", "8"]));
    const [, eplb, , plan] = block.at(-1)!.match(/\d\.\d{3}/g)!;
    expectInReadme(`EPLB's is the better one (${eplb}, not ${plan})`);
  });

  test.skipIf(!recordedDataPresent)(`replay ${needsRecordedData}`, async () => {
    const recording = join(root, "../shared/data/moe/gptoss20b_decode_topk_ids_292x511x24x4.u8.gz");
    const shape = "tokens=292,steps=511,layers=24,k=4";
    expectInReadme(`\`--shape ${shape}\``);
    const stdout = await output(["replay", recording, "--gpus", "8", "--shape", shape, "--backend", "cpu"]);
    expectShown(blockAfter(`--shape ${shape}`), stdout);
  });
});

describe("the committed benchmark", () => {
  const name = "bench/results/swiftshader_quick.json";
  const { rows }: { rows: Row[] } = JSON.parse(readFileSync(join(root, name), "utf8"));
  const find = (question: string, topology: string, solver: string, batch?: number): Row => {
    const found = rows.filter(
      (row) =>
        row.question === question &&
        row.topology === topology &&
        row.solver.startsWith(solver) &&
        (batch === undefined || row.batch === batch),
    );
    expect(found.length, `${question}, ${topology}, ${solver}`).toBe(1);
    return found[0];
  };
  /** Three figures, or one decimal. */
  const us = (value: number) => (value < 100 ? value.toFixed(1) : Number(value.toPrecision(3)).toLocaleString("en"));
  const topologies = ["cube 8x2", "hypercube 16x2", "EP8 R16", "EP16 R32"];

  test("the table, row by row", () => {
    const solvers: Record<string, { solver: string | string[]; gap?: true }> = {
      "evenkeel, specialised kernel": { solver: "evenkeel specialised" },
      "evenkeel, lane kernel": { solver: "evenkeel lane" },
      "evenkeel, exact CPU solver": { solver: "evenkeel solve(), cpu" },
      "LPLB's or SGLang's method in its own form": { solver: ["LPLB, workgroup", "SGLang lp, workgroup"], gap: true },
      "the same, one LP per invocation": { solver: ["LPLB, lane", "SGLang lp, lane"], gap: true },
      "edge balancing, no proof": { solver: "edge balancing" },
      "threshold search": { solver: "threshold search", gap: true },
      YALPS: { solver: "YALPS" },
      "HiGHS, WebAssembly": { solver: "HiGHS" },
    };
    for (const [label, { solver, gap }] of Object.entries(solvers)) {
      const cells = topologies.map((topology, i) => {
        const of = typeof solver === "string" ? solver : solver[i < 2 ? 0 : 1];
        const { usPerLp, gapMean } = find("solve-batch", topology, of);
        return gap ? `${us(usPerLp)} (${(100 * gapMean!).toPrecision(2)} %)` : us(usPerLp);
      });
      expectInReadme(`| ${label} | ${cells.join(" | ")} |`);
    }
  });

  test("the figures in the text", () => {
    const wide = (topology: string, solver: string) => us(find("scaling-gpus", topology, solver).usPerLp);
    const [ep144, ep320] = ["EP144 R32", "EP320 R64"];
    expectInReadme(
      `EP144 with 32 redundant experts takes ${wide(ep144, "evenkeel group")} us per LP on the group kernel`,
    );
    expectInReadme(`EP320 with 64 takes ${wide(ep320, "evenkeel group")}, batch 64`);
    const cpu = "evenkeel solve(), cpu";
    expectInReadme(`the CPU takes ${wide(ep144, cpu)} and ${wide(ep320, cpu)}.`);
    const ratios = topologies.slice(0, 2).map((topology) => {
      const [theirs, ours] = ["LPLB, workgroup", "evenkeel specialised"].map((one) =>
        find("solve-batch", topology, one),
      );
      return Number((theirs.usPerLp / ours.usPerLp).toPrecision(2));
    });
    expectInReadme(`LPLB's method takes ${ratios.join(" and ")} times as long as ours in its own form`);
    const [bare, single] = ["bare round trip", "evenkeel specialised"].map((one) =>
      find("solve-latency", "cube 8x2", one),
    );
    expectInReadme(`One cube LP alone takes ${(single.usPerLp / bare.usPerLp).toPrecision(2)} bare round trips`);
    const levels = [...topologies, "EP64 R64"].map((topology) => {
      const [levelled, plain] = ["evenkeel solve(), cpu, level", "evenkeel solve(), cpu"].map(
        (solver) => rows.find((row) => row.question === "level" && row.topology === topology && row.solver === solver)!,
      );
      return levelled.usPerLp / plain.usPerLp;
    });
    const [least, most] = [Math.min(...levels), Math.max(...levels)].map((factor) => factor.toFixed(1));
    expectInReadme(`\`level\` takes ${least} to ${most} times as long as the exact CPU solver alone`);
  });
});
