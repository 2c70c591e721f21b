import type { FluidOptions } from "../../src/serving/fluid.ts";

/** Whose thresholds are known, of one class and of three. */
export const one: FluidOptions = { classes: [{ rate: 60, input: 20, output: 100 }], base: 0.0115, perKvToken: 1.29e-6 };
export const three: FluidOptions = {
  classes: [
    { rate: 30, input: 20, output: 100 },
    { rate: 20, input: 20, output: 200 },
    { rate: 10, input: 20, output: 300 },
  ],
  ...{ base: 0.0115, perKvToken: 5.16e-7 },
};
