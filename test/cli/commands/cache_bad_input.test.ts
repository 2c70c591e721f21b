/** What `cache` refuses: one line on stderr, exit code 2, and no file. */
import { existsSync, mkdirSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";
import { ownFiles } from "../own_files.ts";
import { expectRefused, type Refused } from "../refused.ts";

const { file, path } = ownFiles();
const good = file("0 a 1\n1 b 2\n2 a 1\n");
const prompt = { timestamp: 0, input_length: 1024, output_length: 1 };
const prompts = file(JSON.stringify({ ...prompt, hash_ids: [1, 2] }));
const proof = (...bounds: unknown[]) => file({ bounds });

const traces: Refused[] = [
  ["a format that nobody knows", ["cache", file("a,b\n1,2\n")], "one of these formats: sized (time key size [cost]"],
  [
    "prompts of another format",
    ["cache", file("arrived_at,num_prefill_tokens,num_decode_tokens\n0,3,2\n")],
    "mooncake (",
  ],
  ["nothing", ["cache", file("")], "expected a file of one of these formats"],
  ["a file that is not there", ["cache", path()], 'expected a file that can be read, got "ENOENT'],
  ["half a gzip file", ["cache", file(gzipSync("0 a 1\n1 b 2\n").subarray(0, 25))], "expected whole gzip data"],
  ["a size of nothing", ["cache", file("0 a 1\n1 b 0\n")], `, line 2, "size": expected a finite number > 0, got "0"`],
  [
    "times backwards",
    ["cache", file("5 a 1\n1 b 2\n")],
    `, line 2, "time": expected no earlier than the request before it, 5`,
  ],
  ["a missing column", ["cache", file("0 a 1 5\n1 b 2\n")], ", line 2: expected 4 columns, got 3"],
  ["a negative penalty", ["cache", file("l 0x1 1 1 -5\n")], `, line 1, "miss penalty": expected a finite number >= 0`],
  ["prompts without blocks", ["cache", file(JSON.stringify(prompt))], "expected prompts with hash_ids, the blocks"],
  [
    "prompts with no block",
    ["cache", file(JSON.stringify({ ...prompt, hash_ids: [] }))],
    "expected a prompt with a block at",
  ],
];

const options: Refused[] = [
  [
    "an unknown policy",
    ["cache", good, "--policies", "lru,best"],
    "Expected names of lru, lfu, fifo, s3fifo, gdsf, lec,",
  ],
  ["no capacity", ["cache", good, "--capacity", "0"], "Expected capacities above 0, as in 64000 or 5%."],
  ["no capacity, in %", ["cache", good, "--capacity", "5%,0%"], "Expected capacities above 0"],
  ["a capacity of words", ["cache", good, "--capacity", "5%%"], "Expected capacities above 0"],
  ["no window", ["cache", good, "--window", "1"], "Expected an integer from 2"],
  [
    "a window of no bound",
    ["cache", good, "--no-bound", "--window", "5"],
    "--window needs the bound: leave --no-bound out",
  ],
  ["prices of no bound", ["cache", good, "--no-bound", "--prices", path()], "--prices needs the bound"],
  [
    "seconds of what is no prompt",
    ["cache", good, "--step-time", file({ base: 1, perSequence: 0, perKvToken: 0, perPrefillToken: 1, perContext: 0 })],
    "--step-time: expected a trace of prompts",
  ],
  [
    "standard input twice",
    ["cache", "-", "--certify", "-"],
    "--certify: expected a file, where the trace is standard input",
  ],
  ["a search and a check", ["cache", good, "--certify", proof(), "--capacity", "5"], "--certify <file>"],
];

const proofs: Refused[] = [
  ["no JSON", ["cache", good, "--certify", file("bounds")], "JSON, plain or in gzip"],
  [
    "another file",
    ["cache", good, "--certify", file({ mean: 1, kv: [] })],
    "{ bounds }, as cache --prices writes them",
  ],
  ["no bounds", ["cache", good, "--certify", proof()], "bounds: expected an array with one at least"],
  [
    "a bound that is none",
    ["cache", good, "--certify", proof(5)],
    "bounds[0]: expected { capacity, cost, prices }, got 5",
  ],
  [
    "a bound of no capacity",
    ["cache", good, "--certify", proof({ capacity: 0, cost: 1, prices: [0, 0, 0] })],
    "bounds[0].capacity: expected a finite number > 0",
  ],
  [
    "a bound without a claim",
    ["cache", good, "--certify", proof({ capacity: 1, prices: [0, 0, 0] })],
    "bounds[0].cost: expected a number",
  ],
  [
    "prices of another trace",
    ["cache", good, "--certify", proof({ capacity: 1, cost: 1, prices: [0, 0] })],
    "bounds[0].prices: expected 3 prices, one for each request of the trace, got 2",
  ],
  [
    "prices that are words",
    ["cache", prompts, "--certify", proof({ capacity: 1, cost: 1, prices: [0, "1"] })],
    "bounds[0].prices[1]: expected a number",
  ],
];

test.concurrent.each([...traces, ...options, ...proofs])("%s", (...refused) => expectRefused(...refused));

test("nowhere to write to is said before the trace is read", async () => {
  const folder = path();
  mkdirSync(folder);
  for (const option of ["--html", "--prices"]) {
    const nowhere = `${folder}/not/there`;
    const { code, stderr } = await evenkeel(["cache", path(), option, nowhere], withoutSoftware);
    expect(code).toBe(2);
    expect(stderr).toContain(`${option} ${nowhere}: expected a file that can be written, got "ENOENT`);
  }
  expect(existsSync(`${folder}/not`)).toBe(false);
});
