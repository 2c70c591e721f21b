import { expect, test } from "vitest";
import { useOf } from "../../bench/cuda_use.ts";
import { countedSolve } from "../../bench/depth.ts";
import { graphs } from "./workloads.ts";

test("a counted solve is optimal, and the same LP takes the same work", () => {
  const { layers, loads, optimum } = graphs.cube;
  const solve = countedSolve(layers[0].topology);
  const first = solve(loads, 5);
  expect(first.maxLoad).toBe(optimum.integer[5]);
  expect(solve(loads, 5)).toEqual(first);
  expect(solve(loads, 6).work).not.toEqual(first.work);
});

test("of what ptxas says the solve's own is read", () => {
  const said = `\
ptxas info    : Compiling entry function '_Z13shares_kerneliPKiPfm' for 'sm_80'
ptxas info    : Function properties for _Z13shares_kerneliPKiPfm
    0 bytes stack frame, 1 bytes spill stores, 2 bytes spill loads
ptxas info    : Used 37 registers, used 0 barriers
ptxas info    : Compiling entry function '_Z8kernel_0i4rowsi' for 'sm_80'
ptxas info    : Function properties for _Z8kernel_0i4rowsi
    120 bytes stack frame, 216 bytes spill stores, 124 bytes spill loads
ptxas info    : Used 255 registers, used 0 barriers, 120 bytes cumulative stack size
`;
  expect(useOf(said)).toEqual({ registers: 255, stackBytes: 120, spillStoreBytes: 216, spillLoadBytes: 124 });
  expect(() => useOf("ptxas info    : Used 37 registers")).toThrow(/registers/);
});
