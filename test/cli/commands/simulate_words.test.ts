import { describe, expect, test } from "vitest";
import { ownFiles } from "../own_files.ts";
import { report, words } from "../simulated.ts";

const { file } = ownFiles();

const vidur = (...rows: number[][]) => ["arrived_at,num_prefill_tokens,num_decode_tokens", ...rows].join("\n");
const three = vidur([0, 3, 2], [0, 2, 1], [1, 4, 3]);
const small = ["--slots", "1", "--kv-tokens", "100", "--clock", "rounds"];
const lengths = file("input_tokens,output_tokens\n40,20\n300,60\n900,10\n20,200\n");
const drawn = [lengths, "--workers", "3", "--slots", "8", "--kv-tokens", "4000", "--rate", "40", "--requests", "300"];

describe("in words", () => {
  test("behind a barrier what even loads would save of the steps' time, and how much of it routing could", async () => {
    const args = [...drawn, "--barrier", "--route", "round-robin,bfio", "--bound-evaluations", "0"];
    const text = await words(args);
    const [, work, legend] = text.split("\n\n");
    expect(work).toMatch(/^policy +requests\/s .* idle +waits +routable +imbalance /m);
    const { policies } = await report(args);
    for (const { policy, figures } of policies) {
      const { stepTime, barrierBound, stepEven, routable } = figures;
      const shares = [1 - stepEven!.mean / stepTime!.mean, 1 - barrierBound!.mean / stepTime!.mean];
      expect(routable!.mean).toBeCloseTo(shares[1], 12);
      const [waits, could] = shares.map((share) => `${(100 * share).toFixed(1)} %`);
      expect(work).toMatch(new RegExp(`^${policy} .* ${waits} +${could} `, "m"));
    }
    expect(legend.replaceAll("\n", " ")).toContain(
      "waits: of the steps' time what even loads would save; routable: the part",
    );
  });

  test("a table of latencies, one of work, differences over seeds, and what was measured", async () => {
    const text = await words([
      ...drawn,
      "--seeds",
      "3",
      "--slo-tpot",
      "20",
      "--route",
      "round-robin,consistent-hash,bfio,lmetric",
    ]);
    expect(text).toMatch(/^[\n -~]+$/);
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(130);
    const [latencies, work, differences, legend] = text.split("\n\n");
    expect(latencies).toMatch(
      /^policy +TTFT mean, m?s +p50 +p99 +TPOT mean, ms +p50 +p99 +E2E mean, m?s +p50 +p99 +x bound$/m,
    );
    expect(latencies).toMatch(/^least-kv +[\d.,]+ \+-[\d.,]+( +[\d.,]+){2} +[\d.,]+ \+-/m);
    expect(work).toMatch(
      /^policy +requests\/s +tokens\/s +goodput\/s +queue +slots +KV +idle +imbalance +evictions +kJ$/m,
    );
    expect(differences).toMatch(/^What each has more than least-kv, mean over 3 seeds/);
    expect(differences).not.toMatch(/^least-kv/m);
    const said = legend.replaceAll("\n", " ");
    expect(said).toMatch(
      /^300 requests, their lengths drawn from the 4 of .+, arriving at random, 40 per s \(Poisson, seeds 1 to 3\)\./,
    );
    expect(said).toContain("(of Qwen3-30B-A3B on one RTX PRO 6000: --step-time takes yours)");
    expect(said).toContain("bfio sees no predictions of outputs");
    expect(said).toContain("consistent-hash goes by the requests' numbers");
    expect(said).toContain("no prefix blocks, for lmetric to go by");
    expect(said).toContain("Goodput: finished requests with TPOT <= 20 ms.");
    expect(said).toMatch(/x bound: mean E2E over [\d,.]+ m?s \(mean over 3 seeds\), below which no schedule is/);
  });

  test("no bound where there is none, or nobody asks", async () => {
    const base = [file(three), "--workers", "1", ...small, "--route", "least-kv"];
    const pool = await words([...base, "--pool", "2"]);
    expect(pool.replaceAll("\n", " ")).toContain("There is no bound of mean E2E: with --pool a latency is from when");
    expect(pool).not.toMatch(/x bound/);
    const unasked = [...base, "--bound-evaluations", "0"];
    expect(await words(unasked)).not.toMatch(/bound/);
    expect(await report(unasked)).not.toHaveProperty("bound");
  });

  test("what there is none of is a dash, and null in JSON", async () => {
    const singles = file(vidur([0, 3, 1], [1, 3, 1]));
    const args = [singles, "--workers", "1", ...small, "--route", "least-kv"];
    expect(await words(args)).toMatch(/^least-kv +1\.00 +1\.00 +1\.00 +- +- +- +1\.00/m);
    expect((await report(args)).policies[0].figures["tpot.mean"]!.mean).toBeNull();
  });

  test("prefix hits where the trace has blocks", async () => {
    const line = (timestamp: number, hash_ids: number[]) =>
      JSON.stringify({ timestamp, input_length: 512 * hash_ids.length, output_length: 2, hash_ids });
    const mooncake = file([line(0, [1, 2]), line(1000, [1, 2, 3]), line(2000, [1, 2])].join("\n"));
    const args = [mooncake, "--workers", "1", "--slots", "4", "--kv-tokens", "4000", "--route", "cache-aware"];
    const text = await words(args);
    expect(text).toMatch(/prefix hits$/m);
    expect(text).not.toContain("no prefix blocks");
    // Found: 1,024 of 1,536, and all but the last token of 1,024.
    const share = (100 * (1024 + 1023)) / (1024 + 1536 + 1024);
    expect(text).toMatch(new RegExp(`^cache-aware.* ${share.toFixed(1)} %$`, "m"));
  });

  test("what prefix caches keep, and that it matters", async () => {
    // Two blocks fit beside the prompt that runs: of 0 0 1 2 3 0 LRU has lost the first by the end, LFU has not.
    const lines = [0, 0, 1, 2, 3, 0].map((id, i) =>
      JSON.stringify({ timestamp: 5000 * i, input_length: 512, output_length: 1, hash_ids: [id] }),
    );
    const args = [
      file(lines.join("\n")),
      "--workers",
      "1",
      "--slots",
      "1",
      "--kv-tokens",
      "1600",
      "--route",
      "least-kv",
    ];
    const found = async (...caching: string[]) =>
      (await report([...args, ...caching])).policies[0].figures.prefixHit!.mean;
    expect(await found()).toBeCloseTo(511 / 512 / 6, 12);
    expect(await found("--caching", "lru")).toBe(await found());
    expect(await found("--caching", "lfu")).toBeCloseTo((2 * 511) / 512 / 6, 12);
    expect(await words([...args, "--caching", "lfu"])).toContain("Prefix caches keep what lfu says.");
    expect(await words([...args, "--caching", "lru"])).not.toContain("lru");
    const bare = await words([file(three), "--workers", "1", ...small, "--caching", "gdsf"]);
    expect(bare.replaceAll("\n", " ")).toContain("The trace has no prefix blocks, for caches to keep by gdsf.");
  });
});
