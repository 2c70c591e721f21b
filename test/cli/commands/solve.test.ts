import { expect, test } from "vitest";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";

/** The quickstart's example: GPUs 0 and 2 are the bottleneck. */
const replica = {
  placement: { gpus: 3, physicalToLogical: [0, 1, 0, 2, 1, 3] },
  expertLoad: [
    [60, 200, 20, 10],
    [0, 0, 0, 7],
  ],
};
const edge = { gpus: 2, edges: [[0, 1]], load: [10, 2], capacity: [8] };

async function solve(problem: object, args: string[] = []) {
  const { code, stdout, stderr } = await evenkeel(["solve", "-", ...args], withoutSoftware, JSON.stringify(problem));
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

test("the replica form: rows in, rows out", async () => {
  const solution = JSON.parse(await solve(replica, ["--json", "--backend", "cpu"]));
  expect(solution).toMatchObject({ batch: 2, tokens: "integer", status: ["optimal", "optimal"], backend: "cpu" });
  expect(solution).toMatchObject({ maxLoad: [105, 7], lowerBound: [105, 7], gap: [0, 0] });
  expect(solution.bottleneck).toEqual([[0, 2], [2]]);
  expect(solution.quota[0][0] + solution.quota[0][2]).toBe(60);
  expect(solution.quota[1]).toEqual([0, 0, 0, 0, 0, 7]);
  expect(solution.price[1]).toEqual([0, 0, 1]);
  expect(solution.gpuLoad[0]).toHaveLength(3);
});

test("flat loads are batches of as many experts and GPUs as there are", async () => {
  const flat = { ...replica, expertLoad: replica.expertLoad.flat(), baseLoad: [0, 0, 0, 1, 1, 1] };
  const nested = {
    ...flat,
    expertLoad: replica.expertLoad,
    baseLoad: [
      [0, 0, 0],
      [1, 1, 1],
    ],
  };
  const [a, b] = await Promise.all([flat, nested].map((one) => solve(one, ["--json"])));
  expect(JSON.parse(a)).toMatchObject({ batch: 2, maxLoad: [105, 8] });
  expect(a).toBe(b);
  const flatEdge = { ...edge, load: [10, 2, 3, 3], capacity: [8, 1] };
  expect(JSON.parse(await solve(flatEdge, ["--json"]))).toMatchObject({ maxLoad: [6, 3], flow: [[4], [0]] });
});

test("a single row is a batch, base loads and speeds count, and fractions are kept where asked for", async () => {
  const one = { ...replica, expertLoad: [60, 200, 20, 10], baseLoad: [0, 30, 0], speed: [1, 1, 2] };
  const solution = JSON.parse(await solve(one, ["--json", "--tokens", "fractional"]));
  expect(solution.tokens).toBe("fractional");
  expect(solution.maxLoad[0]).toBeCloseTo((60 + 200 + 20 + 10 + 30) / 4, 9); // nothing binds but the total speed
});

test("the edge form", async () => {
  expect(JSON.parse(await solve(edge, ["--json"]))).toMatchObject({ maxLoad: [6], flow: [[4]], gpuLoad: [[6, 6]] });
});

test("a graph without edges moves nothing", async () => {
  const still = { gpus: 2, edges: [], load: [10, 2], capacity: [] };
  expect(JSON.parse(await solve(still, ["--json"]))).toMatchObject({ maxLoad: [10], flow: [[]], gpuLoad: [[10, 2]] });
});

test("a summary for people, of the first LPs if there are many", async () => {
  const stdout = await solve({ ...replica, expertLoad: new Array(30).fill([60, 200, 20, 10]) }, ["--backend", "cpu"]);
  expect(stdout).toMatch(/^LP +max load +lower bound +status +bottleneck GPUs\n0 +105 +105 +optimal +0 2$/m);
  expect(stdout).toMatch(/^The first 20 of 30 LPs. Solved by the CPU: The caller asked for the CPU\./m);
});

test("--level evens out what is below the bottleneck", async () => {
  const uneven = { placement: { gpus: 3, physicalToLogical: [0, 1, 2, 1, 2, 1] }, expertLoad: [1000, 300, 0] };
  const levelled = JSON.parse(await solve(uneven, ["--json", "--level"]));
  expect(levelled).toMatchObject({ maxLoad: [1000], gpuLoad: [[1000, 150, 150]] });
});
