import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Imports shaders, and the parts of what is exported, as their text, as esbuild's text loader does. */
const texts: Plugin = {
  name: "texts",
  enforce: "pre",
  transform: (code, id) =>
    /\.(wgsl|c|cu|h|py|mk)$/.test(id) ? { code: `export default ${JSON.stringify(code)};`, map: null } : null,
};

/** Devices are lost or spoiled, and environments stubbed: a process per file. */
const alone = [
  "test/device_loss.test.ts",
  "test/gpu/kernel_error.test.ts",
  "test/gpu/job.test.ts",
  "test/limits.test.ts",
  "test/lp/backend_auto.test.ts",
  "test/balancer/loss.test.ts",
  "test/gpu/device.test.ts",
  "test/planner/optimize_search.test.ts",
];
/** Many pipelines, long recordings, whole programs. */
const slow = [
  "test/lp/kernels/{group,group_costs,group_finish,lane,specialised,time}.test.ts",
  "test/lp/{whole_tokens,certify,level,threads,time/brute_force,time/solver}.test.ts",
  "test/{documents,serving_document,examples_balancer,reference,types}.test.ts",
  "test/event_loop.test.ts",
  "test/balancer/{dead_gpus,random_ids,plan,time,uneven_slots,wide}.test.ts",
  "test/balancer/kernels/remap.test.ts",
  "test/cli/commands/{analyze_html,analyze_time,bad_input,bound,cache,cache_bad_input,capacity,certify,demo,doctor,export,interruption,plan,plan_repair,plan_scale,replay,simulate,simulate_bad_input,simulate_html,simulate_words,sweep,sweep_bad_input,sweep_merge,solve_time,solve_traffic,tarball,traffic}.test.ts",
  "test/bench/**/*.test.ts",
  "test/cli/export/{contract,exported}.test.ts",
  "test/cli/files/{files,bad_placement_files,bad_recordings,placement_gpus}.test.ts",
  "test/cli/print/plan_page.test.ts",
  "test/cli/reports/{empty_steps,large_totals}.test.ts",
  "test/oracles/*.test.ts",
  "test/serving/caching/{bound/larger,lec,ten_million}.test.ts",
  "test/examples_sweep.test.ts",
  "test/serving/{kernels/replay,sweep/sweep}.test.ts",
  "test/serving/bound/{certify_bound,improve_schedule,latency_bound,latency_optimum}.test.ts",
  "test/planner/{optimize,optimize_large,optimize_recorded,optimize_shared,threads}.test.ts",
];

export default defineConfig({
  plugins: [texts],
  test: {
    pool: "forks", // Dawn is a native module: it wants processes, not threads
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000, // what a file prepares once may be a whole program's run, too
    // The same adapter on every machine, unless another is asked for.
    env: { EVENKEEL_ADAPTER: process.env.EVENKEEL_ADAPTER || "software" },
    setupFiles: ["test/helpers/dawn_polls_seldom.ts"],
    globalSetup: "test/helpers/chromium_folder.ts",
    // Without isolation the files of a process share its device, so that they compile a pipeline once.
    projects: [
      {
        extends: true,
        test: { name: "quick", include: ["test/**/*.test.ts"], exclude: [...alone, ...slow], isolate: false },
      },
      { extends: true, test: { name: "slow", include: slow, isolate: false } },
      { extends: true, test: { name: "alone", include: alone } },
    ],
  },
});
