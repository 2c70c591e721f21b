/** The core, and for each of its files the tests that should notice a fault in it: those that are quick first. */

const kernelTests = (...stems: string[]) => stems.map((stem) => `test/lp/kernels/${stem}.test.ts`);
const stageTests = (...stems: string[]) => stems.map((stem) => `test/balancer/kernels/${stem}.test.ts`);
const fragmentTests = ["test/common/fragments.test.ts"];
const balancerTests = (...stems: string[]) => stems.map((stem) => `test/balancer/${stem}.test.ts`);
const lane = kernelTests("finish", "lane");
const group = kernelTests("group_finish", "group_costs", "group");
const problems = ["test/lp/problem.test.ts", "test/lp/good_problem.test.ts"];
const times = ["test/lp/time/brute_force.test.ts", "test/lp/time/solver.test.ts"];
const walks = balancerTests("answers", "modes", "ranks", "encode", "bad_buffers", "calls");

/** The first pattern that fits a file counts. */
export const targets: readonly (readonly [file: RegExp, tests: readonly string[]])[] = [
  [/^src\/lp\/certify\.ts$/, ["test/lp/certify.test.ts"]],
  [/^src\/lp\/time\/expert_cost\.ts$/, ["test/lp/time/expert_cost.test.ts", "test/lp/time/errors.test.ts", ...times]],
  [/^src\/lp\/(?:time\/\w+|certify_time)\.ts$/, times],
  [
    /^shaders\/(?:lp\/(?:time|unit_flow|descent|cost_curve)|common\/curve_table)\.wgsl$|^src\/lp\/kernels\/(?:time|cost_table)\.ts$/,
    [...kernelTests("time"), ...times],
  ],
  [
    /^shaders\/lp\/(?:match_sources|traffic|source_record)\.wgsl$|^src\/lp\/kernels\/(?:match_sources|traffic|source_table)\.ts$/,
    [
      ...fragmentTests,
      ...kernelTests("match_sources", "traffic_costs", "traffic"),
      "test/lp/traffic/on_device.test.ts",
    ],
  ],
  [
    /^src\/lp\/(?:traffic\/\w+|certify_traffic)\.ts$|^src\/placement\/distance\.ts$/,
    [
      ...["forged_proofs", "far_apart", "inputs_at_once", "told_names"].map(
        (stem) => `test/lp/traffic/${stem}.test.ts`,
      ),
      ...["test/oracles/least_traffic.test.ts", ...balancerTests("sources")],
    ],
  ],
  [/^src\/lp\/check_solution\.ts$/, ["test/lp/check_solution.test.ts"]],
  [/^src\/lp\/level\.ts$/, ["test/lp/level.test.ts"]],
  [/^src\/lp\/prices\.ts$/, ["test/lp/prices.test.ts"]],
  [/^src\/common\/(?:numbers|objects)\.ts$/, ["test/common/rows.test.ts", "test/unknown_fields.test.ts", ...problems]],
  [
    /^src\/lp\/time\/(?:expert_cost_rows|fit_expert_cost|subadditive_hull)\.ts$/,
    ["expert_cost_rows", "fit_expert_cost", "subadditive_hull"].map((stem) => `test/lp/time/${stem}.test.ts`),
  ],
  [/^src\/balancer\/topk_ids\.ts$/, ["test/balancer/topk_ids.test.ts"]],
  [/^src\/lp\/(?:elimination|group_form)\.ts$/, ["test/lp/elimination.test.ts", ...group]],
  [
    /^src\/lp\/cut\.ts$/,
    ["test/lp/solution.test.ts", ...kernelTests("specialised_push_relabel", "finish"), "test/oracles/highs.test.ts"],
  ],
  [
    /^src\/lp\/(?:solution|ledger)\.ts$/,
    [
      ...["test/lp/solution.test.ts", "test/lp/judge.test.ts", "test/balancer/result.test.ts"],
      ...["test/lp/solver.test.ts", "test/lp/certify.test.ts"],
    ],
  ],
  [
    /^src\/lp\/problem\.ts$/,
    [
      ...problems,
      "test/common/rows.test.ts",
      "test/lp/solver.test.ts",
      "test/lp/backend_auto.test.ts",
      "test/limits.test.ts",
    ],
  ],
  [
    /^src\/lp\/topology\.ts$/,
    ["test/lp/solution.test.ts", ...kernelTests("specialised_push_relabel"), "test/lp/certify.test.ts"],
  ],
  [/^src\/lp\/exact\.ts$/, ["test/lp/solution.test.ts", "test/oracles/highs.test.ts", "test/lp/certify.test.ts"]],
  [/^src\/lp\/twins\/finish\.ts$/, lane],
  [/^src\/lp\/twins\/(?:interior_point|newton_system|star_mesh|tolerances)\.ts$/, [...lane, ...group]],
  [/^src\/lp\/text\/counted\.ts$/, ["test/lp/text/counted.test.ts"]],
  [/^src\/lp\/text\/\w+\.ts$/, kernelTests("specialised_push_relabel", "specialised")],
  [/^src\/lp\/backend_auto\.ts$/, ["test/lp/backend_auto.test.ts", "test/device_loss.test.ts", "test/limits.test.ts"]],
  [/^src\/lp\/backend_cpu\.ts$/, ["test/lp/solution.test.ts", "test/lp/solver.test.ts"]],
  [
    /^src\/lp\/backend_webgpu\.ts$/,
    ["test/lp/solver.test.ts", "test/lp/solver_encode.test.ts", "test/device_loss.test.ts", "test/lp/certify.test.ts"],
  ],
  [
    /^src\/lp\/solver\.ts$/,
    [
      ...problems,
      "test/lp/solver.test.ts",
      "test/lp/solver_encode.test.ts",
      "test/limits.test.ts",
      "test/device_loss.test.ts",
    ],
  ],
  [
    /^shaders\/balancer\/(?:caps|count_sources|source_starts)\.wgsl$|^src\/balancer\/kernels\/(?:caps|count_sources|source_starts)\.ts$/,
    [...stageTests("caps", "count_sources", "source_starts"), ...balancerTests("sources")],
  ],
  [
    /^src\/balancer\/(?:source\w*|rank_counts|batch_traffic|traffic_report|imbalance_traffic|even_quota)\.ts$/,
    balancerTests("sources", "sources_encode", "measure_traffic", "ranks"),
  ],
  [/^src\/balancer\/measure_imbalance\.ts$/, ["test/balancer/measure_imbalance.test.ts"]],
  [/^src\/balancer\/(?:metrics|prometheus)\.ts$/, ["test/balancer/prometheus.test.ts", ...balancerTests("modes")]],
  [/^src\/balancer\/result\.ts$/, balancerTests("result", "modes", "ranks", "answers")],
  [/^src\/balancer\/options\.ts$/, balancerTests("options", "ranks", "calls")],
  [/^src\/balancer\/base_load\.ts$/, balancerTests("base_load", "options", "base_load_encode")],
  [/^src\/balancer\/(?!types)\w+\.ts$/, [...walks, ...balancerTests("loss", "options")]],
  [/^src\/gpu\/pipeline\.ts$/, ["test/gpu/pipeline.test.ts"]],
  [/^src\/gpu\/job\.ts$/, ["test/gpu/job.test.ts"]],
  [/^src\/gpu\/buffers\.ts$/, ["test/lp/solver_encode.test.ts", ...balancerTests("encode", "bad_buffers")]],
  [
    /^src\/lp\/kernels\/(?:canonical|choose|generate|wgsl_field|specialised)\.ts$|^shaders\/lp\/specialised\.wgsl$/,
    kernelTests("specialised_costs", "specialised"),
  ],
  [
    /^src\/balancer\/kernels\/balance_params\.ts$|^shaders\/balancer\/balance\.wgsl$/,
    [...fragmentTests, ...stageTests("count", "offsets", "remap", "shares", "imbalance", "caps")],
  ],
  [/^src\/lp\/kernels\/topology_table\.ts$/, [...kernelTests("lane"), "test/lp/solver.test.ts"]],
  [/^src\/lp\/kernels\/(?:group|group_table)\.ts$/, group],
  [/^src\/lp\/kernels\/lane\.ts$/, ["test/lp/solver_encode.test.ts", "test/lp/solver.test.ts", ...kernelTests("lane")]],
  [/^shaders\/common\/u64\.wgsl$/, fragmentTests],
  [/^shaders\/lp\/(?!group|workgroup|subgroup|totals)/, lane],
  [/^shaders\/lp\//, group],
  [
    /^(?:src\/balancer\/kernels|shaders\/balancer)\/(?:apportion|count|imbalance|time_imbalance|offsets|remap|shares)\./,
    [],
  ], // the kernel's own test, see testsOf
  [/^(?:src\/serving\/kernels|shaders\/serving)\/price\./, ["test/serving/kernels/price.test.ts"]],
  [
    /^(?:src\/serving\/(?:kernels|twins)|shaders\/serving)\/replay/,
    ["test/serving/kernels/replay.test.ts", "test/serving/sweep/sweep.test.ts"],
  ],
  [/^src\/serving\/bound\/certify_bound\.ts$/, ["test/serving/bound/certify_bound.test.ts"]],
];

export const isTarget = (file: string) => targets.some(([pattern]) => pattern.test(file));

export function testsOf(file: string): readonly string[] {
  const [, tests] = targets.find(([pattern]) => pattern.test(file))!;
  return tests.length > 0 ? tests : stageTests(/(\w+)\.\w+$/.exec(file)![1]);
}
