/** What the documents show is what their programs and commands print; figures are those of a command. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { transform } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { evenkeel, withoutSoftware } from "./cli/evenkeel.ts";
import { commandsOf, documentAt, documents, expectIn, expectShown, filesOf, programs } from "./helpers/documents.ts";
import { pollingSeldom } from "./helpers/polling_seldom.ts";
import { needsRecordedData, recordedDataPresent } from "./helpers/recorded.ts";
import { complaints, makeProject } from "./types/compile.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "evenkeel-documents-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("the programs", () => {
  const fileOf = (i: number) => `program_${i}`;
  const packages = ["@types/node", "@webgpu/types", "prom-client"].map((name) => [
    name,
    join(root, "node_modules", name),
  ]);
  beforeAll(() => {
    makeProject(folder, [], { evenkeel: root, ...Object.fromEntries(packages) });
    for (const [i, { source }] of programs.entries()) writeFileSync(join(folder, `${fileOf(i)}.ts`), source);
  });

  test("are those of all pages for who writes programs", () => {
    const pages = new Set(programs.map(({ title }) => title.split(",")[0]));
    expect([...pages]).toEqual(["README.md", "docs/api.md", "docs/embedding.md", "docs/serving.md"]);
  });

  test("compile, strictly", () => {
    const setting = { moduleResolution: "nodenext", lib: ["es2023", "dom"], native: false } as const;
    const types = ["node", "@webgpu/types"];
    const files = programs.map((_, i) => `${fileOf(i)}.ts`);
    const found = complaints(join(root, "node_modules/typescript"), folder, {
      ...setting,
      types,
      skipLibCheck: true,
      files,
    });
    expect(found.replaceAll(/program_(\d+)\.ts/g, (_, i) => programs[i].title)).toBe("");
  });

  test.each(programs.map((program, i) => [program.title, program, i] as const))(
    "%s",
    async (_, { source, output }, i) => {
      expect(output, "a block with what it prints").toBeDefined();
      const { code } = await transform(source, { loader: "ts", target: "node20" });
      const file = join(folder, `${fileOf(i)}.mjs`);
      writeFileSync(file, code);
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [...pollingSeldom, file]);
      expect({ stdout, stderr }).toEqual({ stdout: output, stderr: "" });
    },
  );
});

/** What the commands printed, by their words. Later ones read the files of earlier ones, and one that two documents have is run once. */
const outputs = new Map<string, string>();
const seen = new Set<string>();
const toRun = documents.flatMap((document) => {
  const commands = commandsOf(document).filter(({ words, pattern }) => !pattern && !seen.has(words));
  for (const { words } of commands) seen.add(words);
  return commands.length > 0 ? [{ document, commands }] : [];
});

describe.each(toRun)("the commands of $document.path", ({ document, commands }) => {
  const cwd = mkdtempSync(join(folder, "commands-"));
  beforeAll(() => {
    for (const { name, content } of filesOf(document)) writeFileSync(join(cwd, name), content);
  });

  test.each(commands.map((command) => [command.words, command] as const))(
    "%s",
    async (words, { args, into, shown }) => {
      const { code, stdout, stderr } = await evenkeel([...args], withoutSoftware, undefined, cwd);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      outputs.set(words, stdout);
      if (into !== undefined) writeFileSync(join(cwd, into), stdout);
      if (shown) expectShown(shown, stdout);
    },
  );
});

describe("what the documents say of it", () => {
  const operators = "docs/operators.md";
  const shown = commandsOf(documentAt(operators)).filter((command) => command.shown);
  const linesOf = (name: string) => shown.find(({ args }) => args[0] === name)!.shown!;

  test("operators.md shows what these print", () => {
    expect(shown.map(({ args }) => args[0])).toEqual([
      ...["analyze", "analyze", "plan", "replay", "replay", "simulate"],
      ...["bound", "bound", "capacity", "cache", "solve", "certify", "solve"],
    ]);
  });

  test("demo", () => {
    const demo = outputs.get("demo --save loads.json")!;
    const all = /^all +(\d\.\d\d) +(\d\.\d\d) +(\d\.\d\d) +([\d,]+) of ([\d,]+) +0$/m.exec(demo)!;
    const [, originals, even, solved, optimal, lps] = all;
    expectIn(
      "README.md",
      `\
| ${lps} LPs | mean imbalance | proven optimal |
|---|---|---|
| experts in order, no replicas | ${originals} | |
| EPLB, replicas share evenly | ${even} | |
| EPLB + evenkeel | ${solved} | ${optimal} |
`,
    );
  });

  test("time", () => {
    const timed = outputs.get("analyze loads.json --gpus 8 --redundant 16 --cost cost.json")!;
    const [, even, tokens, time, bound] =
      /^all +\d+\.\d\d +(\d+\.\d\d) +(\d+\.\d\d) +(\d+\.\d\d) +(\d+\.\d\d) +\d/m.exec(timed)!;
    expectIn(
      "README.md",
      `\
| EPLB, replicas share evenly | ${even} us |
| EPLB + evenkeel, tokens balanced | ${tokens} us |
| EPLB + evenkeel, time balanced | ${time} us; less than ${bound} us is impossible |
`,
    );
  });

  test("analyze and plan", () => {
    const [lp, saved] = linesOf("analyze")[3]
      .match(/\d\.\d{3}/g)!
      .slice(2);
    expectIn(operators, `would lower the imbalance of ${lp} by ${saved}.`);
    const [, eplb, , plan] = linesOf("plan")
      .at(-1)!
      .match(/\d\.\d{3}/g)!;
    expectIn(operators, `EPLB's is the better one (${eplb}, not ${plan})`);
  });

  test("simulate", () => {
    const differences = linesOf("simulate")
      .at(-3)!
      .matchAll(/(-?[\d.,]+) \+-([\d.,]+)/g);
    const [, more, halfWidth] = [...differences][4];
    expectIn(operators, `round robin takes ${more} ms longer, +-${halfWidth}.`);
  });

  test("bound", () => {
    const over = (policy: string) => {
      const line = linesOf("simulate").find((one) => one.startsWith(policy))!;
      return Number(line.match(/[\d.]+$/)![0]);
    };
    const left = (policy: string) => `${(100 * (1 - 1 / over(policy))).toFixed(1)} %`;
    const text = documentAt(operators).text.replaceAll("\n", " ");
    expect(text).toContain(
      `With least-kv at ${over("least-kv")}, no other router or scheduler takes more than ${left("least-kv")} off`,
    );
    expect(text).toContain(`with round robin at ${over("round-robin")}, ${left("round-robin")}.`);
  });

  test("cache", () => {
    const over = (policy: string) =>
      linesOf("cache")
        .find((line) => line.startsWith(policy))!
        .match(/\d\.\d{3}/)![0];
    const text = documentAt(operators).text.replaceAll("\n", " ");
    expect(text).toContain(`pays 900 ms to make it again, time after time: ${over("lru")} times the bound in all.`);
    expect(text).toContain(`most per token, pays ${over("lec")} times.`);
  });

  test("slack", async () => {
    const problem = filesOf(documentAt(operators)).find(({ name }) => name === "traffic.json")!.content;
    const { stdout } = await evenkeel(["solve", "-", "--slack", "0.1"], withoutSoftware, problem);
    const [, traffic, away] = /^0 +66 +60 +(\d+) +\1 .+ (\S+ %) +gap /m.exec(stdout)!;
    expectIn(operators, `the traffic is ${traffic}: ${away} of the assignments go to the other node.`);
  });

  test.skipIf(!recordedDataPresent)(`replay ${needsRecordedData}`, async () => {
    const recording = join(root, "../shared/data/moe/gptoss20b_decode_topk_ids_292x511x24x4.u8.gz");
    const shape = "tokens=292,steps=511,layers=24,k=4";
    expectIn(operators, `\`--shape ${shape}\``);
    for (const { args, shown: lines } of shown.filter(({ args }) => args[0] === "replay")) {
      const [, , ...options] = args;
      const words = ["replay", recording, ...options, "--shape", shape, "--backend", "cpu"];
      const { code, stdout, stderr } = await evenkeel(words, withoutSoftware);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expectShown(lines!, stdout);
    }
  });

  test("operators.md has every command and every option", async () => {
    const { text } = documentAt(operators);
    const help = async (...args: string[]) => (await evenkeel([...args, "--help"], withoutSoftware)).stdout;
    const commands = [...(await help()).matchAll(/^ {2}(\w+) \[options\]/gm)].map(([, name]) => name);
    expect(commands.length).toBe(14);
    for (const command of commands) {
      expect(text).toContain(`| \`evenkeel ${command}`);
      const options = (await help(command)).match(/(?<=^ {2})--[\w-]+/gm)!;
      for (const option of options) expect(text, command).toContain(option);
    }
  });
});
