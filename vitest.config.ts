import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Imports a .wgsl file as its text, as esbuild's text loader does. */
const wgsl: Plugin = {
  name: "wgsl",
  enforce: "pre",
  transform: (code, id) =>
    id.endsWith(".wgsl") ? { code: `export default ${JSON.stringify(code)};`, map: null } : null,
};

export default defineConfig({
  plugins: [wgsl],
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks", // Dawn is a native module: it wants processes, not threads
    maxWorkers: 2,
    testTimeout: 120_000,
    env: { EVENKEEL_ADAPTER: "software" }, // the same adapter on every machine
  },
});
