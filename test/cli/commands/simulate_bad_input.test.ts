/** What `simulate` refuses: one line on stderr, exit code 2, and no file. */
import { existsSync, mkdirSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";
import { ownFiles } from "../own_files.ts";
import { expectRefused, type Refused } from "../refused.ts";

const { file, path } = ownFiles();
const header = "arrived_at,num_prefill_tokens,num_decode_tokens";
const good = file(`${header}\n0,3,2\n1,4,3\n`);
const lengths = file("input_tokens,output_tokens\n3,2\n4,3\n");
const folder = path();
mkdirSync(folder);
const fields = { base: 0.01, perSequence: 0, perKvToken: 0, perPrefillToken: 0, perContext: 0 };

const sized = (trace: string, ...more: string[]) => [
  "simulate",
  ...[trace, "--workers", "2", "--slots", "4", "--kv-tokens", "50"],
  ...more,
];

const traces: Refused[] = [
  ["a format that nobody knows", sized(file('{"requests": []}')), "expected a file of one of these formats: azure ("],
  ["a folder", sized(folder), 'expected a file that can be read, got "EISDIR'],
  ["a file that is not there", sized(path()), 'expected a file that can be read, got "ENOENT'],
  ["half a gzip file", sized(file(gzipSync(`${header}\n0,3,2\n`).subarray(0, 30))), "expected whole gzip data"],
  [
    "a negative length",
    sized(file(`${header}\n0,3,-2\n`)),
    `, line 2, "num_decode_tokens": expected an integer from 1`,
  ],
  [
    "arrivals backwards",
    sized(file(`${header}\n1,3,2\n0.5,3,2\n`)),
    `, line 3, "arrived_at": expected no earlier than`,
  ],
  ["no request", sized(file(`${header}\n`)), "expected at least one request, got 0"],
  ["lengths without arrivals", sized(lengths), "--rate R draws them; --rate inf lets all come at once"],
  [
    "a request larger than the memory",
    sized(file(`${header}\n0,3,2\n1,40,30\n`)),
    ", request 1: expected 40 + 30 KV tokens at its end within the memory of worker 0, 50, got 70. --reject counts such",
  ],
  ["more requests than there are", sized(good, "--requests", "3"), "--requests: expected at most the 2 of"],
];

const options: Refused[] = [
  [
    "no workers",
    ["simulate", good, "--slots", "4", "--kv-tokens", "50"],
    "required option '--workers <n>' not specified",
  ],
  ["zero workers", sized(good).with(3, "0"), "Expected an integer from 1 to 1024."],
  [
    "an unknown policy",
    sized(good, "--route", "least-kv,best"),
    "Expected names of round-robin, first-fit, least-requests, least-kv,",
  ],
  [
    "an unknown prediction",
    sized(good, "--prediction", "interval:5,2"),
    "Expected none, exact, factor:1.5, interval:1,500 or bins:50.",
  ],
  [
    "a prediction that nobody sees",
    sized(good, "--route", "least-kv", "--prediction", "exact"),
    "--prediction needs bfio in --route",
  ],
  ["a horizon without bfio", sized(good, "--route", "lmetric", "--horizon", "3"), "--horizon needs bfio in --route"],
  ["a rate of nothing", sized(good, "--rate", "0"), "Expected a number above 0."],
  [
    "a rate for a closed pool",
    sized(good, "--rate", "3", "--pool", "3"),
    "'--pool <n>' cannot be used with option '--rate <r>'",
  ],
  [
    "stale signals of a closed pool",
    sized(good, "--staleness", "3", "--pool", "3"),
    "cannot be used with option '--staleness <time>'",
  ],
  [
    "chunks elsewhere",
    sized(good, "--chunk", "3", "--prefill-workers", "2"),
    "cannot be used with option '--chunk <n>'",
  ],
  ["prefill without a way back", sized(good, "--prefill-workers", "2"), "--prefill-workers needs --bandwidth"],
  ["a way back from nowhere", sized(good, "--bandwidth", "2"), "--bandwidth needs --prefill-workers"],
  [
    "the time of a round",
    sized(good, "--clock", "rounds", "--step-time", file(fields)),
    "--step-time needs --clock seconds",
  ],
  ["outputs that nobody predicts", sized(good, "--schedule", "svf"), "--schedule svf needs --prediction"],
  ["a schedule that there is not", sized(good, "--schedule", "lifo"), "Expected names of fcfs, sjf, priority"],
  ["limits of no classes", sized(good, "--slo-ttft", "1,2"), "limits of each class need --classes"],
  ["too few limits", sized(good, "--classes", "5,9", "--slo-tpot", "1,2"), "limits of each class need --classes"],
  ["classes in no order", sized(good, "--classes", "9,5"), "Expected tokens that ascend."],
  ["seeds of nothing", sized(good, "--seeds", "3"), "--seeds needs --rate, or power-of-two, or --prediction factor"],
  ["seeds of a burst", sized(good, "--seeds", "3", "--rate", "inf"), "--seeds needs --rate"],
  [
    "two runs in one file",
    sized(good, "--vllm", path()),
    "--vllm needs one policy in --route, one in --schedule and one seed",
  ],
  [
    "rounds for vLLM",
    sized(good, "--vllm", path(), "--route", "lmetric", "--clock", "rounds"),
    "--vllm needs --clock seconds",
  ],
  [
    "standard input twice",
    sized("-", "--step-time", "-"),
    "--step-time: expected a file, where the trace is standard input",
  ],
  [
    "a step time without its base",
    sized(good, "--step-time", file({ fit: fields })),
    "perContext } in seconds, got an object",
  ],
  ["a misspelt field", sized(good, "--step-time", file({ ...fields, perSequense: 1 })), "Did you mean perSequence?"],
  [
    "a negative step",
    sized(good, "--step-time", file({ ...fields, perKvToken: -1 })),
    ": perKvToken: expected a number of seconds >= 0, got -1",
  ],
  ["a step that takes no time", sized(good, "--step-time", file({ ...fields, base: 0 })), "as a step must last"],
];

test.concurrent.each([...traces, ...options])("%s", (...refused) => expectRefused(...refused));

test("nowhere to write to is said before the trace is read", async () => {
  for (const option of ["--html", "--vllm"]) {
    const nowhere = `${folder}/not/there`;
    const args = sized(path(), "--route", "lmetric", option, nowhere);
    const { code, stderr } = await evenkeel(args, withoutSoftware);
    expect(code).toBe(2);
    expect(stderr).toContain(`${option} ${nowhere}: expected a file that can be written, got "ENOENT`);
  }
  expect(existsSync(`${folder}/not`)).toBe(false);
});
