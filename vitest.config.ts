import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Imports a .wgsl file as its text, as esbuild's text loader does. */
const wgsl: Plugin = {
  name: "wgsl",
  enforce: "pre",
  transform: (code, id) =>
    id.endsWith(".wgsl") ? { code: `export default ${JSON.stringify(code)};`, map: null } : null,
};

// `vitest run --mode exhaustive` runs the hour-long tests instead of the quick ones.
export default defineConfig(({ mode }) => ({
  plugins: [wgsl],
  test: {
    include: [mode === "exhaustive" ? "test/exhaustive/**/*.test.ts" : "test/**/*.test.ts"],
    exclude: mode === "exhaustive" ? [] : ["test/exhaustive/**"],
    pool: "forks", // Dawn is a native module: it wants processes, not threads
    maxWorkers: 2,
    testTimeout: 120_000,
    env: { EVENKEEL_ADAPTER: "software" }, // the same adapter on every machine
  },
}));
