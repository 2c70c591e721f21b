import { readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { expect, test } from "vitest";
import { writeParts } from "../../../src/cli/files/write_file.ts";
import { ArgumentError } from "../../../src/common/errors.ts";
import { ownFiles } from "../own_files.ts";

const { path, file } = ownFiles();
const never = new AbortController().signal;

async function* parts(texts: readonly string[], before: (i: number) => void = () => {}): AsyncGenerator<string> {
  for (const [i, text] of texts.entries()) {
    before(i);
    yield text;
  }
}

test("parts make a file, in the place of what was there", async () => {
  const to = file("before");
  await writeParts("--vllm", to, parts(["a", "b".repeat(100_000), "c\n"]), never);
  expect(readFileSync(to, "utf8")).toBe(`a${"b".repeat(100_000)}c\n`);
});

test("Ctrl-C between two parts leaves what was there, and nothing beside it", async () => {
  const to = file("before");
  const there = readdirSync(dirname(to));
  const controller = new AbortController();
  const stopped = parts(["a", "b", "c"], (i) => i === 2 && controller.abort());
  await expect(writeParts("--vllm", to, stopped, controller.signal)).rejects.toThrow(/aborted/);
  expect(readFileSync(to, "utf8")).toBe("before");
  expect(readdirSync(dirname(to))).toEqual(there);
});

test("where no file can be, it is said", async () => {
  const nowhere = `${path()}/not/there`;
  await expect(writeParts("--vllm", nowhere, parts(["a"]), never)).rejects.toThrow(ArgumentError);
});
