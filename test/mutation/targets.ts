/** The core, and for each of its files the tests that should notice a fault in it: those that are quick first. */

const kernelTests = (...stems: string[]) => stems.map((stem) => `test/kernels/${stem}.test.ts`);
const balancerTests = (...stems: string[]) => stems.map((stem) => `test/balancer/${stem}.test.ts`);
const lane = kernelTests("finish", "solve");
const group = kernelTests("group_finish", "group_costs", "group");
const walks = balancerTests("answers", "modes", "ranks", "encode", "calls");

/** The first pattern that fits a file counts. */
export const targets: readonly (readonly [file: RegExp, tests: readonly string[]])[] = [
  [/^src\/certify\.ts$/, ["test/certify.test.ts"]],
  [/^src\/check_solution\.ts$/, ["test/check_solution.test.ts"]],
  [/^src\/level\.ts$/, ["test/level.test.ts"]],
  [/^src\/prices\.ts$/, ["test/prices.test.ts"]],
  [/^src\/(?:numbers|objects)\.ts$/, ["test/rows.test.ts", "test/unknown_fields.test.ts", "test/problem.test.ts"]],
  [/^src\/topk_ids\.ts$/, ["test/topk_ids.test.ts"]],
  [/^src\/(?:elimination|group_form)\.ts$/, ["test/elimination.test.ts", ...group]],
  [
    /^src\/cut\.ts$/,
    ["test/solution.test.ts", ...kernelTests("specialised_repair", "finish"), "test/oracles/highs.test.ts"],
  ],
  [
    /^src\/solution\.ts$/,
    ["test/solution.test.ts", "test/balancer/result.test.ts", "test/solver.test.ts", "test/certify.test.ts"],
  ],
  [
    /^src\/problem\.ts$/,
    [
      "test/problem.test.ts",
      "test/rows.test.ts",
      "test/solver.test.ts",
      "test/backend_auto.test.ts",
      "test/limits.test.ts",
    ],
  ],
  [/^src\/topology\.ts$/, ["test/solution.test.ts", ...kernelTests("specialised_repair"), "test/certify.test.ts"]],
  [/^src\/reference\/exact\.ts$/, ["test/solution.test.ts", "test/oracles/highs.test.ts", "test/certify.test.ts"]],
  [/^src\/reference\/finish\.ts$/, lane],
  [/^src\/reference\/repair\.ts$/, kernelTests("specialised_repair", "specialised")],
  [/^src\/backend_auto\.ts$/, ["test/backend_auto.test.ts", "test/device_loss.test.ts", "test/limits.test.ts"]],
  [/^src\/backend_cpu\.ts$/, ["test/solution.test.ts", "test/solver.test.ts"]],
  [
    /^src\/backend_webgpu\.ts$/,
    ["test/solver.test.ts", "test/solver_encode.test.ts", "test/device_loss.test.ts", "test/certify.test.ts"],
  ],
  [
    /^src\/solver\.ts$/,
    [
      "test/problem.test.ts",
      "test/solver.test.ts",
      "test/solver_encode.test.ts",
      "test/limits.test.ts",
      "test/device_loss.test.ts",
    ],
  ],
  [/^src\/measure_imbalance\.ts$/, ["test/measure_imbalance.test.ts"]],
  [/^src\/balancer\/(?:metrics|prometheus)\.ts$/, ["test/prometheus.test.ts", ...balancerTests("modes")]],
  [/^src\/balancer\/result\.ts$/, balancerTests("result", "modes", "ranks", "answers")],
  [/^src\/balancer\/options\.ts$/, balancerTests("options", "ranks", "calls")],
  [/^src\/balancer\/(?!types)\w+\.ts$/, [...walks, ...balancerTests("loss", "options")]],
  [/^src\/gpu\/pipeline\.ts$/, ["test/gpu/pipeline.test.ts"]],
  [/^src\/gpu\/buffers\.ts$/, ["test/solver_encode.test.ts", ...balancerTests("encode")]],
  [
    /^src\/specialised\/|^src\/kernels\/specialised\.ts$|^shaders\/specialised\.wgsl$/,
    kernelTests("specialised_costs", "specialised"),
  ],
  [
    /^src\/kernels\/balance_params\.ts$|^shaders\/common\/balance\.wgsl$/,
    kernelTests("common", "count", "offsets", "remap", "shares", "imbalance"),
  ],
  [/^src\/kernels\/topology_table\.ts$/, [...kernelTests("solve"), "test/solver.test.ts"]],
  [/^src\/kernels\/(?:group|group_table)\.ts$/, group],
  [/^src\/kernels\/solve\.ts$/, ["test/solver_encode.test.ts", "test/solver.test.ts", ...kernelTests("solve")]],
  [/^shaders\/common\/u64\.wgsl$/, kernelTests("common")],
  [/^shaders\/solve\.wgsl$|^shaders\/common\/(?!group|workgroup|subgroup)/, lane],
  [/^shaders\/group\.wgsl$|^shaders\/common\//, group],
  [/^(?:src\/kernels|shaders)\/(?:apportion|count|imbalance|offsets|remap|shares)\./, []], // the kernel's own test, see testsOf
];

export const isTarget = (file: string) => targets.some(([pattern]) => pattern.test(file));

export function testsOf(file: string): readonly string[] {
  const [, tests] = targets.find(([pattern]) => pattern.test(file))!;
  return tests.length > 0 ? tests : kernelTests(/(\w+)\.\w+$/.exec(file)![1]);
}
