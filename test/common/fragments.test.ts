/** The fragments that kernels share, through small kernels of their own. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { BALANCE_PARAMS_BYTES, balanceParams } from "../../src/balancer/kernels/balance_params.ts";
import { seeded } from "../../src/common/random.ts";
import { compile } from "../../src/gpu/pipeline.ts";
import { requestDevice } from "../../src/index.ts";
import { SOURCE_PARAMS_BYTES, sourceParams } from "../../src/lp/kernels/source_table.ts";
import { runKernel, unwritten } from "../helpers/kernel.ts";

const { device } = await requestDevice();
const fragment = (name: string) => readFileSync(new URL(`../../shaders/${name}`, import.meta.url), "utf8");

describe("structs of parameters", () => {
  /** The fields of a struct, and what a kernel reads in each of the host's words. */
  async function readBack(file: string, struct: string, params: Uint32Array<ArrayBuffer>) {
    const text = fragment(file);
    const declared = text.match(new RegExp(`struct ${struct} \\{([^}]*)\\}`))![1];
    const fields = [...declared.matchAll(/^ *(\w+):/gm)].map(([, name]) => name);
    const reads = fields.map((name, i) => `fields[${i}] = f32(params.${name});`);
    const kernel = {
      name: `copy_${struct}`,
      wgsl: `
        @group(0) @binding(0) var<storage, read_write> fields: array<f32>;
        @group(0) @binding(1) var<uniform> params: ${struct};
        @group(0) @binding(2) var<storage, read> table: array<u32>;
        @compute @workgroup_size(1) fn copy_${struct}() { ${reads.join("\n")} }`,
      includes: [text],
      bindings: { fields: "storage", params: "uniform", table: "read-only-storage" },
    } as const;
    const arrays = { fields: unwritten(fields.length), params, table: unwritten(1) };
    const found = await runKernel(device, await compile(device, kernel, {}, {}), arrays, [1, 1]);
    return Object.fromEntries([...new Float32Array(found.fields.buffer)].map((value, i) => [fields[i], value]));
  }

  test("BalanceParams has the fields that balanceParams writes, each in its place", async () => {
    // All different, so that no two can be mistaken for each other.
    const sizes = { layers: 24, assignments: 5000, experts: 31, slots: 40, gpus: 8, replicas: 5, placements: 12 };
    const sources = { topK: 4, sources: 16, rank: 7 };
    const table = { ...sizes, data: unwritten(1) };
    const params = balanceParams(table, sizes.layers, sizes.assignments, 1.25, sources);
    expect(params.byteLength).toBe(BALANCE_PARAMS_BYTES);
    const expected = { ...sizes, chunks: 3, skip_below: 1.25, top_k: 4, sources: 16, rank: 7 };
    expect(new Set(Object.values(expected)).size).toBe(Object.keys(expected).length);
    expect(await readBack("balancer/balance.wgsl", "BalanceParams", params)).toEqual(expected);
  });

  test("SourceParams has the fields that sourceParams writes, each in its place", async () => {
    const sizes = {
      records: 12,
      stride: 900,
      gpus: 8,
      experts: 31,
      slots: 40,
      sources: 16,
      replicas: 39,
      exchanges: 66,
    };
    const params = sourceParams({ ...sizes, data: unwritten(1), copies: 3, step: 1 }, 24, true);
    expect(params.byteLength).toBe(SOURCE_PARAMS_BYTES);
    const found = await readBack("lp/source_record.wgsl", "SourceParams", params);
    expect(found).toEqual({ batch: 24, ...sizes, has_skip: 1 });
  });
});

describe("u64", () => {
  const kernel = {
    name: "arithmetic",
    // Per case 4 words in: a (lo, hi), b (lo, hi); 6 out: b + a, lo a * lo b, a / lo b, a < b.
    wgsl: `
      @group(0) @binding(0) var<storage, read> numbers: array<vec4u>;
      @group(0) @binding(1) var<storage, read_write> results: array<vec2u>;
      @compute @workgroup_size(64) fn arithmetic(@builtin(global_invocation_id) id: vec3u) {
        let i = id.x;
        if (i >= arrayLength(&numbers)) { return; }
        let a = numbers[i].xy;
        let b = numbers[i].zw;
        results[3 * i] = add64(b, a);
        results[3 * i + 1] = multiply64(a.x, b.x);
        results[3 * i + 2] = vec2u(divide64(a, b.x), select(0u, 1u, less64(a, b)));
      }`,
    includes: [fragment("common/u64.wgsl")],
    bindings: { numbers: "read-only-storage", results: "storage" },
  } as const;
  const LOW = 2n ** 32n - 1n;

  /** Checks every operation on pairs of 64-bit numbers; divisors are the low words of b, below 2^31. */
  async function check(pairs: [bigint, bigint][]) {
    const words = (value: bigint) => [Number(value & LOW), Number(value >> 32n)];
    const numbers = Uint32Array.from(pairs.flatMap(([a, b]) => [...words(a), ...words(b)]));
    const arrays = { numbers, results: unwritten(6 * pairs.length) };
    const compiled = await compile(device, kernel, {}, {});
    const { results } = await runKernel(device, compiled, arrays, [Math.ceil(pairs.length / 64), 1]);
    for (const [i, [a, b]] of pairs.entries()) {
      const quotient = a / (b & LOW);
      const expected = [
        ...words((a + b) & (2n ** 64n - 1n)),
        ...words((a & LOW) * (b & LOW)),
        Number(quotient < 2n ** 31n ? quotient : 2n ** 31n - 1n),
        a < b ? 1 : 0,
      ];
      expect([...results.subarray(6 * i, 6 * i + 6)], `${a} and ${b}`).toEqual(expected);
    }
  }

  const edges = [0n, 1n, 2n, 3n, 5n, 7n, 255n, 65535n, 65536n, 65537n, 2n ** 31n - 2n, 2n ** 31n - 1n];

  test("edge by edge, dividing by 1, small odd numbers and 2^31 - 1", async () => {
    const highs = [...edges, 2n ** 31n, 2n ** 32n - 1n];
    const numbers = highs.flatMap((high) => [...edges, 2n ** 31n, 2n ** 32n - 1n].map((low) => (high << 32n) | low));
    const others = edges.slice(1).flatMap((low) => [low, (1n << 32n) | low, (LOW << 32n) | low]);
    await check(numbers.flatMap((a) => others.map((b): [bigint, bigint] => [a, b])));
  });

  test("random numbers of all magnitudes", async () => {
    const random = seeded(81);
    const below = (bits: number) => BigInt(Math.floor(random.next() * 2 ** 32)) >> BigInt(32 - bits);
    const number = () => (below(random.below(33)) << 32n) | below(random.below(33));
    const divisor = () => (below(random.below(33)) << 32n) | (below(random.below(32)) || 1n);
    await check(Array.from({ length: 4000 }, () => [number(), divisor()]));
  });
});
