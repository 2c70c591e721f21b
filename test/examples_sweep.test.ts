/** The examples for clusters, their shards run one after the other on this machine: as they stand, with the variables that Kubernetes and Slurm set. */
import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "evenkeel-"));
const path = (name: string) => join(folder, name);
const read = (name: string) => readFileSync(path(name), "utf8");

/** An evenkeel on the path, as where it is installed. */
const environment = { ...process.env, PATH: `${folder}:${process.env.PATH}` };

beforeAll(() => {
  writeFileSync(path("evenkeel"), `#!/bin/sh\nexec "${process.execPath}" "${join(root, "dist/cli.js")}" "$@"\n`);
  chmodSync(path("evenkeel"), 0o755);
  const requests = Array.from({ length: 40 }, (_, i) => {
    const lengths = { input_length: 500 + ((i * 7919) % 3000), output_length: 1 + ((i * 104729) % 200) };
    return JSON.stringify({ timestamp: 150 * i, ...lengths, hash_ids: [] });
  });
  writeFileSync(path("trace.jsonl"), `${requests.join("\n")}\n`);
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Container {
  command: string[];
  args: string[];
  env: { name: string; value: string }[];
}
interface Job {
  spec: { completions?: number; completionMode?: string; template: { spec: { containers: [Container] } } };
}

/** Runs what a pod runs; the volume is `folder`. */
async function runPod({ command, args, env }: Container, more: Record<string, string> = {}): Promise<void> {
  const own = Object.fromEntries(env.map(({ name, value }) => [name, value]));
  await run(command[0], [...command.slice(1), ...args], { env: { ...environment, ...own, DATA: folder, ...more } });
}

/** Of the same scenarios without sharding. */
const whole = (command: string) =>
  command.replace(/--shard "[^"]*"/, "").replace(/--out "[^"]*"/, `--out "${path("whole.json")}"`);

test("Kubernetes: an indexed job, and a job that merges, make what the whole sweep makes", async () => {
  const text = readFileSync(join(root, "examples/sweep_kubernetes.yaml"), "utf8");
  const [sweep, merge] = parseAllDocuments(text).map((document) => document.toJS() as Job);
  const { completions, completionMode, template } = sweep.spec;
  const [container] = template.spec.containers;
  expect(completionMode).toBe("Indexed");
  expect(container.env).toContainEqual({ name: "SHARDS", value: String(completions) });
  for (let index = 0; index < completions!; index++) await runPod(container, { JOB_COMPLETION_INDEX: String(index) });
  await runPod(merge.spec.template.spec.containers[0]);
  await runPod({ ...container, args: container.args.map(whole) });
  expect(read("sweep.json")).toBe(read("whole.json"));
  expect(JSON.parse(read("sweep.json")).scenarios).toHaveLength(4 * 3 * 2 * 2);
  expect(read("sweep.html")).toContain("<svg");
});

test("Slurm: an array, and a job that depends on it, make what the whole sweep makes", async () => {
  const text = readFileSync(join(root, "examples/sweep_slurm.sh"), "utf8");
  const [, first, last] = /^#SBATCH --array=(\d+)-(\d+)$/m.exec(text)!.map(Number);
  expect(first).toBe(0); // shards count from 0
  mkdirSync(path("slurm"));
  const script = join(root, "examples/sweep_slurm.sh");
  for (let task = first; task <= last; task++) {
    const env = { ...environment, SLURM_ARRAY_TASK_ID: String(task), SLURM_ARRAY_TASK_COUNT: String(last + 1) };
    await run("bash", [script, path("trace.jsonl"), "results"], { env, cwd: path("slurm") });
  }
  const [, merge] = /--wrap '([^']*)'/.exec(text)!;
  await run("sh", ["-c", merge], { env: environment, cwd: path("slurm") });
  const command = text.slice(text.indexOf("\nevenkeel sweep")).replaceAll("\\\n", " ");
  await run("sh", ["-c", whole(command)], { env: { ...environment, trace: path("trace.jsonl") } });
  expect(read("slurm/results/sweep.json")).toBe(read("whole.json"));
});
