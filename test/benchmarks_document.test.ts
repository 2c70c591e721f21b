/** The figures of docs/benchmarks.md are those of committed benchmarks. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { questions } from "../bench/questions.ts";
import type { Row } from "../bench/row.ts";
import { efforts } from "../bench/timing.ts";
import {
  batchLines,
  batchTopologies,
  breakEvenLines,
  cudaLines,
  depthLines,
  finder,
  gpuTimeLines,
  simdLines,
  us,
} from "./helpers/benchmark_tables.ts";
import { documentAt, expectIn } from "./helpers/documents.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

describe("the committed benchmark", () => {
  const page = "docs/benchmarks.md";
  const name = "bench/results/swiftshader_quick.json";
  const { rows }: { rows: Row[] } = JSON.parse(readFileSync(join(root, name), "utf8"));
  const find = finder(rows);

  test("the tables, row by row", () => {
    for (const line of [...batchLines(rows), ...simdLines(rows), ...depthLines(rows)]) expectIn(page, line);
  });

  test("the figures in the text", () => {
    const wide = (topology: string, solver: string) => us(find("scaling-gpus", topology, solver).usPerLp);
    const [ep144, ep320] = ["EP144 R32", "EP320 R64"];
    expectIn(
      page,
      `EP144 with 32 redundant experts takes ${wide(ep144, "evenkeel group")} us per LP on the group kernel`,
    );
    expectIn(page, `EP320 with 64 takes ${wide(ep320, "evenkeel group")}, batch 64`);
    const cpu = "evenkeel solve(), cpu";
    expectIn(page, `the CPU takes ${wide(ep144, cpu)} and ${wide(ep320, cpu)}.`);
    const ratios = batchTopologies.slice(0, 2).map((topology) => {
      const [theirs, ours] = ["LPLB, workgroup", "evenkeel specialised"].map((one) =>
        find("solve-batch", topology, one),
      );
      return Number((theirs.usPerLp / ours.usPerLp).toPrecision(2));
    });
    expectIn(page, `LPLB's method takes ${ratios.join(" and ")} times as long as ours in its own form`);
    const [bare, single] = ["bare round trip", "evenkeel specialised"].map((one) =>
      find("solve-latency", "cube 8x2", one),
    );
    expectIn(page, `One cube LP alone takes ${(single.usPerLp / bare.usPerLp).toPrecision(2)} bare round trips`);
    const levels = [...batchTopologies, "EP64 R64"].map((topology) => {
      const [levelled, plain] = ["evenkeel solve(), cpu, level", "evenkeel solve(), cpu"].map(
        (solver) => rows.find((row) => row.question === "level" && row.topology === topology && row.solver === solver)!,
      );
      return levelled.usPerLp / plain.usPerLp;
    });
    const [least, most] = [Math.min(...levels), Math.max(...levels)].map((factor) => factor.toFixed(1));
    expectIn(page, `\`level\` takes ${least} to ${most} times as long as a call without it`);
    const ofTokens = (backend: string, kinds: RegExp) => {
      const timed = rows.filter(({ question, solver }) => question === "time" && solver.startsWith(`${backend}, by `));
      const factors = timed
        .filter(({ solver }) => kinds.test(solver))
        .map(({ topology, usPerLp }) => usPerLp / find("time", topology, `${backend}, by tokens`).usPerLp);
      return `${Math.min(...factors).toFixed(1)} to ${Math.max(...factors).toFixed(1)} times`;
    };
    const [units, general] = [/by (linear|activated|tiles)$/, /by (roofline|affine)/];
    expectIn(
      page,
      `takes ${ofTokens("cpu", units)} as long as tokens on the CPU and ${ofTokens("webgpu", units)} as long`,
    );
    const [onCpu, onGpu] = ["cpu", "webgpu"].map((backend) => ofTokens(backend, general).replace(" times", ""));
    expectIn(page, `in the general case ${onCpu} and ${onGpu} times.`);
  });

  test("how it was taken", () => {
    const { text } = documentAt(page);
    const { quick, full } = efforts;
    expectIn(
      page,
      `\`--quick\` takes ${quick.samples} samples in ${quick.budgetMs / 1e3} s, a full run ${full.samples} in ${full.budgetMs / 1e3} s`,
    );
    expectIn(page, `at least ${quick.leastSamples} and ${full.leastSamples}, where calls are longer`);
    const table = text.slice(text.indexOf("| `--only` | asks |"));
    const explained = [...table.matchAll(/^\| `([a-z][\w-]+)` \| (.*) \|$/gm)].map(([, ...row]) => row);
    expect(explained).toEqual(questions.map(({ name, asks }) => [name, asks]));
    expectIn(page, `\`${name}\``);
  });
});

describe("the committed benchmark of a GPU", () => {
  const page = "docs/benchmarks.md";
  const name = "bench/results/h100_quick.json";
  const { rows }: { rows: Row[] } = JSON.parse(readFileSync(join(root, name), "utf8"));
  const find = finder(rows);
  const gpuUs = (...where: Parameters<typeof find>) => find(...where).timestampUs!;

  test("the tables, row by row", () => {
    expectIn(page, `\`${name}\``);
    for (const lines of [cudaLines(rows), gpuTimeLines(rows), breakEvenLines(rows)]) expectIn(page, lines.join("\n"));
  });

  test("the figures in the text", () => {
    const [lane, group] = ["evenkeel lane", "evenkeel group"].map((solver) =>
      gpuUs("scaling-gpus", "EP32 R32", solver),
    );
    expectIn(page, `lane takes ${(lane / group).toFixed(1)} times as long`);
    const of = (topology: string) => us(gpuUs("scaling-gpus", topology, "evenkeel group"));
    expectIn(
      page,
      `EP144 with 32 takes ${of("EP144 R32")} us on the group kernel and EP320 with 64 takes ${of("EP320 R64")}`,
    );
    const stage = (solver: string) => us(gpuUs("balancer-stages", "EP8 R16", solver));
    const [count, solve, remap] = ["count", "solve", "remap"].map((one) => stage(`evenkeel ${one}`));
    expectIn(page, `take ${count} us to count, ${solve} to solve by lane, one LP, and ${remap} to remap`);
    expectIn(page, `where a copy of as many words takes ${stage("copy of a word per assignment")}.`);
    for (const batch of [4096, 65_536]) {
      const [lanes, groups] = ["evenkeel lane", "evenkeel group"].map((one) =>
        gpuUs("scaling-batch", "cube 8x2", one, batch),
      );
      expect(groups < lanes).toBe(batch === 4096);
    }
    const factors = rows
      .filter(({ solver }) => solver === "evenkeel solve(), auto")
      .map(({ topology, batch, usPerLp }) => {
        const others = ["webgpu specialised", "cpu"].map((one) => `evenkeel solve(), ${one}`);
        return usPerLp / Math.min(...others.map((one) => find("scaling-batch", topology, one, batch).usPerLp));
      });
    const [least, most] = [Math.min(...factors), Math.max(...factors)].map((factor) => factor.toFixed(1));
    expectIn(page, `takes ${least} to ${most} times as long as the better of the two.`);
    const [one, many] = [1, 4096].map((batch) => us(find("cuda", "EP16 R32", "exported CUDA", batch).medianUs));
    expectIn("docs/runtimes.md", `takes ${one} us from launch to done, 4,096 take ${many}`);
  });
});
