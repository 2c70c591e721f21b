import { costTable } from "../kernels/cost_table.ts";
import type { Loads } from "../problem.ts";
import type { Curve } from "../time/expert_cost.ts";
import { TimeSolver } from "../time/time_solver.ts";
import { unitsOf } from "../time/work.ts";
import type { Topology } from "../topology.ts";
import type { TwinSolution } from "./lane.ts";

/** Bits of the largest sum of ticks, and those that it is estimated without: as cost_curve.wgsl has them. */
const TICK_LENGTH = 30;
const DROPPED = 32n;

const bitsOf = (value: bigint) => value.toString(2).length;
const rounded = (value: bigint, bits: bigint) => (bits === 0n ? value : (value + (1n << (bits - 1n))) >> bits);

/** c(x) in the time of the table. */
function tableCost(table: Uint32Array, x: number): bigint {
  if (x === 0) return 0n;
  const [points, rounding] = table;
  const whole = Math.ceil(x / rounding) * rounding;
  let at = 7;
  for (let i = 1; i < points && table[7 + 4 * i] <= whole; i++) at = 7 + 4 * i;
  return (BigInt(table[at + 2]) << 32n) + BigInt(table[at + 1]) + BigInt(whole - table[at]) * BigInt(table[at + 3]);
}

/** How coarse the ticks of an LP are, and the caller's time in ticks. */
function ticksOf(
  { experts, replicaStart }: Topology,
  table: Uint32Array,
  load: ArrayLike<number>,
  base: readonly number[],
) {
  const [mantissa] = new Float32Array(table.buffer, 16, 1);
  const exponent = table[5] | 0;
  let sum = 0n;
  for (let e = 0; e < experts; e++) {
    sum += (rounded(tableCost(table, load[e]), DROPPED) + 1n) * BigInt(replicaStart[e + 1] - replicaStart[e]);
  }
  const besides = base.reduce((all, time) => Math.fround(all + Math.abs(Math.fround(Math.fround(time) * mantissa))), 0);
  const ofBase = besides > 0 ? Math.floor(Math.log2(besides)) + 1 + exponent : 0;
  const bits = Math.max(0, Math.min(63, Math.max(bitsOf(sum) + Number(DROPPED), ofBase) + 1 - TICK_LENGTH));
  const baseTicks = (time: number) => Math.round(Math.fround(Math.fround(time) * mantissa) * 2 ** (exponent - bits));
  return { bits: BigInt(bits), baseTicks };
}

/** One LP in the kernel's own time: units where c comes in them, else ticks. */
function inTicks(topology: Topology, cost: Curve, load: ArrayLike<number>, base: readonly number[]) {
  const { tile, unit } = cost;
  if (tile !== undefined) {
    const units: Curve = { ...cost, time: (x) => unitsOf(tile, x), unit: 1 };
    return { curve: units, besides: base.map((time) => time / unit) };
  }
  const table = costTable(cost);
  const { bits, baseTicks } = ticksOf(topology, table, load, base);
  const known = new Map<number, number>();
  const time = (x: number) => {
    if (!known.has(x)) known.set(x, Number(rounded(tableCost(table, x), bits)));
    return known.get(x)!;
  };
  return { curve: { ...cost, time, unit: time(1) }, besides: base.map(baseTicks) };
}

/**
 * Twin of shaders/lp/time.wgsl on LP `lp`: the solver of the CPU on whole times. The kernel's flows of units count base loads in 2^-32 of a unit, here
 * they are in ticks: with base loads, and at unequal speeds, the two agree on times alone.
 */
export function time(topology: Topology): (loads: Loads, lp: number) => TwinSolution {
  const { cost, experts, gpus, replicaGpu, equalSpeeds } = topology;
  return ({ expertLoad, baseLoad }, lp) => {
    const load = expertLoad.subarray(lp * experts, (lp + 1) * experts);
    const base = baseLoad ? [...baseLoad.subarray(lp * gpus, (lp + 1) * gpus)] : [];
    const { curve, besides } = inTicks(topology, cost!, load, base);
    const lift = equalSpeeds ? Math.min(0, ...besides) : 0;
    const x = new Float64Array(replicaGpu.length);
    const member = new Uint8Array(gpus);
    const lifted = baseLoad && Float64Array.from(besides, (at) => Math.max(0, at - lift));
    const { paths, steps } = new TimeSolver(topology, curve, true).solve(load, lifted, x, member);
    return { x, member, iterations: steps, moves: paths };
  };
}
