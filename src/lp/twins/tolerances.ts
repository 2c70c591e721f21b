/** Twin of shaders/lp/tolerances.wgsl, in f64. The tests of *lane* and *group* read the figures there and compare. */

export const constants = {
  MAX_ITERATIONS: 16,
  TOLERANCE: 1e-4,
  LOAD_FLOOR: 1e-6,
  PRIMAL_FLOOR: 1e-9,
  DUAL_FLOOR: 1e-12,
  START_SLACK: 0.1,
  LEAST_FRACTION: 0.9,
} as const;

/** The stopping rule: whether the best max load is this close to the best bound. */
export function isClose(top: number, below: number): boolean {
  return top - below <= constants.TOLERANCE * Math.max(below, constants.LOAD_FLOOR);
}
