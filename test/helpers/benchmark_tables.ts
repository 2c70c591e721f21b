/** The tables of docs/benchmarks.md, as rows of a benchmark make them. */
import type { CountedWork, Row } from "../../bench/row.ts";

/** The row of a question; of a solver by its name, or the words that it begins with. */
export function finder(rows: readonly Row[]) {
  return (question: string, topology: string, solver: string, batch?: number): Row => {
    const found = rows.filter(
      (row) =>
        row.question === question &&
        row.topology === topology &&
        `${row.solver} `.startsWith(`${solver} `) &&
        (batch === undefined || row.batch === batch),
    );
    if (found.length !== 1) throw new Error(`${question}, ${topology}, ${solver}: ${found.length} rows.`);
    return found[0];
  };
}

/** Three figures, one decimal, or two figures. */
export function us(value: number): string {
  if (value < 1) return value.toPrecision(2);
  return value < 100 ? value.toFixed(1) : Number(value.toPrecision(3)).toLocaleString("en");
}

const line = (label: string, cells: readonly string[]) => `|${label && ` ${label}`} | ${cells.join(" | ")} |`;

export const batchTopologies = ["cube 8x2", "hypercube 16x2", "EP8 R16", "EP16 R32"];

/** Of `solve-batch`. */
export function batchLines(rows: readonly Row[]): string[] {
  const find = finder(rows);
  const solvers: Record<string, { solver: string | string[]; gap?: true }> = {
    "evenkeel, specialised kernel": { solver: "evenkeel specialised" },
    "evenkeel, lane kernel": { solver: "evenkeel lane" },
    "evenkeel, SIMD program, one core": { solver: "evenkeel simd" },
    "evenkeel, call to answer on the CPU, one core": { solver: "evenkeel solve(), cpu" },
    "the same in exact JavaScript": { solver: "evenkeel solve(), exact JavaScript" },
    "LPLB's or SGLang's method in its own form": { solver: ["LPLB, workgroup", "SGLang lp, workgroup"], gap: true },
    "the same, one LP per invocation": { solver: ["LPLB, lane", "SGLang lp, lane"], gap: true },
    "edge balancing, no proof": { solver: "edge balancing" },
    "edge balancing as SIMD, one core": { solver: "edge balancing, simd" },
    "threshold search": { solver: "threshold search", gap: true },
    "threshold search as SIMD, one core": { solver: "threshold search, simd", gap: true },
    YALPS: { solver: "YALPS" },
    "HiGHS, WebAssembly": { solver: "HiGHS" },
  };
  return Object.entries(solvers).map(([label, { solver, gap }]) => {
    const cells = batchTopologies.map((topology, i) => {
      const of = typeof solver === "string" ? solver : solver[i < 2 ? 0 : 1];
      const { usPerLp, gapMean } = find("solve-batch", topology, of);
      return gap ? `${us(usPerLp)} (${(100 * gapMean!).toPrecision(2)} %)` : us(usPerLp);
    });
    return line(label, cells);
  });
}

/** Of `simd`: how many times as long others take. */
export function simdLines(rows: readonly Row[]): string[] {
  const own = rows.filter(({ question }) => question === "simd");
  const topologies = [...new Set(own.map(({ topology }) => topology))];
  const [ours, exact] = ["evenkeel simd", "exact JavaScript"];
  const [call, exactCall] = ["evenkeel solve(), cpu simd", "evenkeel solve(), exact JavaScript"];
  const rowOf = (topology: string, solver: string, one: boolean) =>
    own.find((row) => row.topology === topology && row.solver === solver && (row.batch === 1) === one);
  const ratio = (label: string, of: string, over: string, one = false) =>
    line(
      label,
      topologies.map((topology) => {
        const [a, b] = [of, over].map((solver) => rowOf(topology, solver, one));
        return a && b ? (a.usPerLp / b.usPerLp).toPrecision(2) : "";
      }),
    );
  const affine = line(
    "LPLB's or SGLang's method, one LP per invocation, core time",
    topologies.map((topology) => {
      const theirs = own.find((row) => row.topology === topology && row.solver.endsWith("core time"));
      return theirs ? us(theirs.usPerLp / rowOf(topology, ours, false)!.usPerLp) : "";
    }),
  );
  const making = ["topology to WebAssembly", "WebAssembly to module", "calls until full speed"];
  const ms = (stage: string) => topologies.map((topology) => us(rowOf(topology, stage, true)!.medianUs / 1e3));
  return [
    line("", topologies),
    `|${"---|".repeat(topologies.length + 1)}`,
    ratio("exact JavaScript", exact, ours),
    ratio("exported C, gcc -O2", "exported C, gcc -O2", ours),
    ratio("edge balancing as SIMD", "edge balancing, simd", ours),
    ratio("threshold search as SIMD", "threshold search, simd", ours),
    affine,
    ratio("calls: exact JavaScript over SIMD", exactCall, call),
    ratio("a batch's judge over the call", "judge alone", call),
    ratio("calls of 4,096 LPs: one thread over two", `${call}, threads 1`, `${call}, threads 2`),
    ratio("one LP's call over a bare round trip of WebGPU", call, "bare round trip, no timestamps", true),
    ...making.map((stage) => line(`${stage}, ms`, ms(stage))),
  ];
}

/** Of `depth`. */
export function depthLines(rows: readonly Row[]): string[] {
  const own = rows.filter(({ counted }) => counted);
  const cells = (label: string, of: (counted: CountedWork) => string) =>
    line(
      label,
      own.map(({ counted }) => of(counted!)),
    );
  const architectures = Object.keys(own[0].counted!.cuda ?? {});
  return [
    line(
      "",
      own.map(({ topology }) => topology),
    ),
    `|${"---|".repeat(own.length + 1)}`,
    cells("operations, mean and most", ({ operations, mostOperations }) => both(operations, mostOperations)),
    cells("longest chain, mean and most", ({ depth, mostDepth }) => both(depth, mostDepth)),
    cells("operations at once", ({ parallelism }) => parallelism.toFixed(1)),
    cells("statements of WGSL", ({ statements }) => statements.toLocaleString("en")),
    ...architectures.map((architecture) =>
      cells(`registers on ${architecture}, bytes spilt`, ({ cuda }) => {
        const { registers, spillStoreBytes } = cuda![architecture];
        return `${registers}, ${spillStoreBytes}`;
      }),
    ),
  ];
}

const both = (mean: number, most: number) => `${Math.round(mean).toLocaleString("en")}, ${most.toLocaleString("en")}`;

const header = (columns: readonly string[]) => [line("", columns), `|${"---|".repeat(columns.length + 1)}`];

/** Of `cuda`: whole calls. */
export function cudaLines(rows: readonly Row[]): string[] {
  const find = finder(rows);
  const own = rows.filter(({ question }) => question === "cuda");
  const topologies = [...new Set(own.map(({ topology }) => topology))];
  const batches = [...new Set(own.map(({ batch }) => batch))];
  const cells = (label: string, solver: string, batch: number, of: (row: Row) => number) =>
    line(
      `${label}, ${batch.toLocaleString("en")}`,
      topologies.map((topology) => us(of(find("cuda", topology, solver, batch)))),
    );
  const each = (label: string, solver: string, of: (row: Row) => number) =>
    batches.map((batch) => cells(label, solver, batch, of));
  return [
    ...header(topologies),
    ...each("CUDA, launch to done", "exported CUDA", ({ medianUs }) => medianUs),
    ...each("CUDA, GPU time", "exported CUDA", ({ timestampUs }) => timestampUs!),
    ...each("WebGPU, GPU time", "evenkeel specialised", ({ timestampUs }) => timestampUs!),
    ...each("SIMD program, one core", "evenkeel simd", ({ medianUs }) => medianUs),
  ];
}

/** Of `solve-batch`: GPU time alone. */
export function gpuTimeLines(rows: readonly Row[]): string[] {
  const find = finder(rows);
  const solvers: Record<string, string[]> = {
    "evenkeel, specialised kernel": ["evenkeel specialised"],
    "evenkeel, group kernel": ["evenkeel group"],
    "evenkeel, lane kernel": ["evenkeel lane"],
    "LPLB's or SGLang's method in its own form": ["LPLB, workgroup", "SGLang lp, workgroup"],
    "the same, one LP per invocation": ["LPLB, lane", "SGLang lp, lane"],
    "edge balancing, no proof": ["edge balancing"],
    "threshold search": ["threshold search"],
  };
  return Object.entries(solvers).map(([label, names]) => {
    const cells = batchTopologies.map((topology, i) => {
      const { timestampUs, gapMean } = find("solve-batch", topology, names[i < 2 ? 0 : names.length - 1]);
      const gap = (100 * gapMean!).toPrecision(2);
      return gapMean! > 1e-5 ? `${us(timestampUs!)} (${gap} %)` : us(timestampUs!);
    });
    return line(label, cells);
  });
}

/** Of `scaling-batch`: where a GPU is worth it. */
export function breakEvenLines(rows: readonly Row[]): string[] {
  const find = finder(rows);
  const batches = [...new Set(rows.filter(({ question }) => question === "scaling-batch").map(({ batch }) => batch))];
  const cells = (label: string, topology: string, solver: string) =>
    line(
      label,
      batches.map((batch) => us(find("scaling-batch", topology, solver, batch).usPerLp)),
    );
  return [
    ...header(batches.map((batch) => batch.toLocaleString("en"))),
    cells("cube 8x2, specialised, from resident loads to quotas read back", "cube 8x2", "evenkeel specialised"),
    cells("cube 8x2, SIMD program, one core", "cube 8x2", "evenkeel simd"),
    ...["cube 8x2", "EP16 R32"].flatMap((topology) => [
      cells(`${topology}, \`solve()\`, WebGPU`, topology, "evenkeel solve(), webgpu specialised"),
      cells(`${topology}, \`solve()\`, one core`, topology, "evenkeel solve(), cpu"),
    ]),
  ];
}
