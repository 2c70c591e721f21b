/** What `sweep` refuses: one line on stderr, exit code 2, and no file. */
import { mkdirSync } from "node:fs";
import { expect, test } from "vitest";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";
import { ownFiles } from "../own_files.ts";
import { expectRefused, type Refused } from "../refused.ts";
import { sized, sweptCsv } from "../swept.ts";

const { file, path } = ownFiles();
const good = file(sweptCsv);
const lengths = file("input_tokens,output_tokens\n3,2\n4,3\n");
const slo = ["--slo-ttft", "100"];
const seeds = ["--seeds", "2"];

const options: Refused[] = [
  ["no workers", ["sweep", good, "--slots", "4", "--kv-tokens", "50"], "'--workers <list>' not specified"],
  ["no slots", ["sweep", good, "--workers", "4", "--kv-tokens", "50"], "'--slots <n>' not specified"],
  ["no memory", ["sweep", good, "--workers", "4", "--slots", "4"], "'--kv-tokens <n>' not specified"],
  ["zero workers", sized(good, "--workers", "0-3"), "Expected integers from 1 to 1024, as in 1-16 or 2,4,8."],
  ["too many workers", sized(good, "--workers", "1000-1025"), "Expected integers from 1 to 1024"],
  ["workers backwards", sized(good, "--workers", "5-3"), "Expected integers from 1 to 1024"],
  ["memory beyond 30 bits", sized(good, "--kv-tokens", "3000000000"), "--kv-tokens: expected an integer up to 2^30"],
  ["a route that looks ahead", sized(good, "--route", "lmetric"), "Expected names of round-robin, least-kv, bfio."],
  ["a schedule without a key", sized(good, "--schedule", "mcsf"), "Expected names of fcfs, sjf, priority, svf."],
  ["a rate of nothing", sized(good, "--rates", "1,0x"), "Expected a number above 0."],
  ["a rate that is none", sized(good, "--rates", "inf"), "Expected a number above 0."],
  ["a rate twice", sized(good, "--rates", "2,2"), "--rates[1]: expected none that is there already, got 2."],
  ["a rate too high", sized(good, "--rates", "1e10"), "--rates[0]: expected numbers from 1e-6 to 1e9"],
  ["arrivals of another kind", sized(good, "--arrivals", "burst"), "Allowed choices are replay, poisson."],
  ["arrivals drawn at no rate", sized(good, "--arrivals", "poisson"), "--arrivals poisson needs --rates"],
  ["seeds of nothing", sized(good, "--rates", "2", ...seeds), "--seeds needs --arrivals poisson, or --prediction"],
  ["a seed that is none", sized(good, "--seed", "1.5"), "Expected an integer from 0 to 4294967295."],
  ["a prediction that nobody sees", sized(good, "--prediction", "exact"), "--prediction needs svf in --schedule"],
  ["an unknown prediction", sized(good, "--prediction", "bins:0"), "Expected none, exact, factor:1.5, interval"],
  ["outputs that nobody predicts", sized(good, "--schedule", "svf"), "--schedule svf needs --prediction"],
  ["classes that nobody sees", sized(good, "--classes", "100"), "--classes needs priority in --schedule"],
  ["classes in no order", sized(good, "--schedule", "priority", "--classes", "9,5"), "Expected tokens that ascend."],
  ["the time of a round", sized(good, "--clock", "rounds", "--step-time", good), "--step-time needs --clock seconds"],
  ["a step time that is none", sized(good, "--step-time", file({ base: -1 })), ": base: expected a number of seconds"],
  [
    "steps of an hour",
    sized(good, "--step-time", file({ base: 4e3, perSequence: 0, perKvToken: 0, perPrefillToken: 0, perContext: 0 })),
    "--step-time: expected steps of less than 2^31 microseconds",
  ],
  ["no tokens of a chunk", sized(good, "--chunk", "0"), "Expected an integer from 1 to 2147483647."],
  ["another eviction", sized(good, "--eviction", "swap"), "Allowed choices are restart, recompute."],
  ["no time to the first token", sized(good, "--slo-ttft", "0"), "Expected a number above 0."],
  ["limits of classes", sized(good, "--slo-tpot", "1,2"), "Expected a number above 0."],
  ["more than all", sized(good, ...slo, "--attainment", "1.01"), "Expected a number above 0 and up to 1."],
  ["a share of nothing", sized(good, "--attainment", "0.9"), "--attainment needs --slo-ttft or --slo-tpot"],
  ["what cannot break", sized(good, "--breaking-rates"), "--breaking-rates needs --slo-ttft or --slo-tpot"],
  ["another backend", sized(good, "--backend", "cuda"), "Allowed choices are auto, webgpu, cpu."],
  ["a shard that is not there", sized(good, "--json", "--shard", "8/8"), "Expected i/n with i from 0 to n - 1"],
  ["half a shard", sized(good, "--json", "--shard", "3"), "Expected i/n with i from 0 to n - 1, as in 0/8."],
  ["a shard in words", sized(good, "--shard", "0/8"), "--shard needs --json or --out"],
  ["a page of a shard", sized(good, "--shard", "0/8", "--json", "--html", path()), "--html needs the whole sweep"],
  ["standard input twice", sized("-", "--step-time", "-"), "--step-time: expected a file, where the trace is standard"],
];

const traces: Refused[] = [
  ["no trace", sized(file('{"requests": []}')), "expected a file of one of these formats: azure ("],
  ["a trace that is not there", sized(path()), 'expected a file that can be read, got "ENOENT'],
  ["lengths without arrivals", sized(lengths), "--arrivals poisson with --rates in requests per s draws them."],
  [
    "times of no rate",
    sized(lengths, "--arrivals", "poisson", "--rates", "2x"),
    "expected requests that arrive at different times",
  ],
  [
    "a request larger than the memory",
    sized(good, "--kv-tokens", "500"),
    ", request 2: expected 900 + 10 KV tokens at its end within the memory of a worker, 500, got 910. --reject counts",
  ],
  ["more requests than there are", sized(good, "--requests", "61"), "--requests: expected at most the 60 of"],
];

test.concurrent.each([...options, ...traces])("%s", (...refused) => expectRefused(...refused));

test("nowhere to write to is said before the trace is read", async () => {
  const folder = path();
  mkdirSync(folder);
  for (const option of ["--html", "--out"]) {
    const { code, stderr } = await evenkeel(sized(path(), option, folder), withoutSoftware);
    expect(code).toBe(2);
    expect(stderr).toContain(`${option} ${folder}: expected a file that can be written, got "EISDIR`);
  }
});
