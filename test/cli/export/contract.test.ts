/** What evenkeel.h and evenkeel.py promise besides optima: returns, refusals, messages, and that compilers have nothing to say. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Placement, topologies } from "../../../src/index.ts";
import { documentAt } from "../../helpers/documents.ts";
import {
  compile,
  compileC,
  compileCudaAsCpp,
  gccIsHere,
  numpyIsHere,
  nvccIsHere,
  writeExported,
} from "../../helpers/exported.ts";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-contract-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Three experts, of which 0 and 1 have a slot on both GPUs, and an empty slot. */
const small = Placement.fromPhysicalToLogical([0, 1, 2, 0, 1, -1], { gpus: 2 });
const cube = Placement.fromRedundantToOriginal(topologies.cube8(), { logicalExperts: 64, epSize: 8 });
const layers = new Map([
  [1, small],
  [4, small],
]);

/** Prints what a program says of the library in `where`. */
function python(where: string, program: string): unknown {
  writeFileSync(join(where, "program.py"), `import ctypes, json\nimport numpy as np\n${program}`);
  return JSON.parse(execFileSync("python3", ["program.py"], { cwd: where, encoding: "utf8" }));
}

const missing = gccIsHere && numpyIsHere ? "" : " (skipped: no gcc, g++ or python3 with numpy here)";

const c = join(folder, "c");
const cuda = join(folder, "cuda");
beforeAll(() => {
  if (missing) return;
  compileC(writeExported(c, layers, "c"));
  compileCudaAsCpp(writeExported(cuda, layers, "cuda"));
});

describe.skipIf(missing)(`the calls${missing}`, () => {
  const badArguments = (solve: string, shares: string, stream: string) => `
library = ctypes.CDLL("./libevenkeel.so")
load = np.array([[5, 3, 2]], np.int32)
quota, proof, prob = np.full(6, 77, np.int32), np.full(4, 77, np.uint32), np.full(6, 77, np.float32)
at = lambda array: ctypes.c_void_p(array.ctypes.data)
L, Q, W, S = at(load), at(quota), at(proof), at(prob)
solve = lambda *given: library.${solve}(*given${stream})
shares = lambda *given: library.${shares}(*given${stream})
bad = [solve(layer, L, None, Q, W, 1) for layer in (-1, 0, 2, 3, 5, 2**31 - 1, -(2**31))]
bad += [solve(1, None, None, Q, W, 1), solve(1, L, None, None, W, 1), solve(1, L, None, Q, None, 1), solve(1, L, None, Q, W, -1)]
bad += [shares(0, Q, S, 1), shares(1, None, S, 1), shares(1, Q, None, 1), shares(1, Q, S, -1)]
bad_untouched = bool((quota == 77).all() and (proof == 77).all() and (prob == 77).all())
none = [solve(1, L, None, Q, W, 0), shares(1, Q, S, 0)]
untouched = bool((quota == 77).all() and (proof == 77).all() and (prob == 77).all())
good = [solve(4, L, None, Q, W, 1), shares(4, Q, S, 1)]
print(json.dumps([bad, bad_untouched, none, untouched, good, quota.tolist(), proof.tolist()[0], prob.tolist()]))
`;

  test.each([
    ["C", c, "evenkeel_solve", "evenkeel_shares", "", -1],
    ["CUDA", cuda, "evenkeel_launch", "evenkeel_launch_shares", ", None", 1],
  ] as const)("%s: bad arguments are returned and write nothing", (_, where, solve, shares, stream, refusal) => {
    const [bad, badUntouched, none, untouched, good, quota, status, prob] = python(
      where,
      badArguments(solve, shares, stream),
    ) as [number[], boolean, number[], boolean, number[], number[], number, number[]];
    expect(bad).toEqual(new Array(15).fill(refusal));
    expect({ badUntouched, none, untouched, good, status }).toEqual({
      ...{ badUntouched: true, none: [0, 0], untouched: true, good: [0, 0], status: 0 },
    });
    const [a, b, only, c, d, empty] = quota;
    expect([a + c, b + d, only, empty, Math.max(a + b + only, c + d)]).toEqual([5, 3, 2, 0, 5]);
    expect(prob.slice(4)).toEqual([1, 0]);
    expect(prob[0]).toBe(Math.fround(a / 5));
  });

  /** A negative load, 2^31 tokens in all, by base loads of either sign, and two LPs among them that are none the worse. */
  const outOfRange = `
load = np.array([[5, 3, 2], [5, -3, 2], [2**30, 2**30, 0], [2**31 - 1, 0, 0], [7, 7, 7], [0, 0, 0], [2**31 - 3, 0, 0]], np.int32)
base = np.array([[0, 0], [0, 0], [0, 0], [0, -1], [1, 2], [-(2**31), 0], [-1, 1]], np.int32)
`;
  const expected = [
    [0, 1, 1, 1, 0, 1, 0],
    [10, 0, 0, 0, 21, 0, 2 ** 31 - 3],
  ];

  test("C: an LP out of range has a gap and no quotas, and its neighbours are solved", () => {
    const program = `import evenkeel
${outOfRange}
quota, proof, left = evenkeel.Evenkeel().solve(1, load, base)
print(json.dumps([left, proof[:, 0].tolist(), quota.sum(1, dtype=np.int64).tolist()]))`;
    expect(python(c, program)).toEqual([4, ...expected]);
  });

  test("CUDA: the same", () => {
    const program = `import evenkeel, torch
${outOfRange}
quota, proof = np.empty((7, 6), np.int32), np.empty((7, 4), np.int32)
evenkeel.Evenkeel().solve(1, *map(torch.Tensor, (load, quota, proof, base)))
print(json.dumps([proof[:, 0].tolist(), quota.sum(1, dtype=np.int64).tolist()]))`;
    expect(python(cuda, program)).toEqual(expected);
  });

  test("the loader names the argument, what was expected and what came", () => {
    const program = `import evenkeel
solver, load, said = evenkeel.Evenkeel(), np.ones((2, 3), np.int32), []
def says(call):
    try:
        call()
    except (TypeError, ValueError) as error:
        said.append(f"{type(error).__name__}: {error}")
says(lambda: solver.solve(0, load))
says(lambda: solver.solve(1, [[1, 2, 3]]))
says(lambda: solver.solve(1, load.astype(np.int64)))
says(lambda: solver.solve(1, load[0]))
says(lambda: solver.solve(1, np.ones((2, 4), np.int32)))
says(lambda: solver.solve(1, np.ones((3, 2), np.int32).T))
says(lambda: solver.solve(1, load, base=np.ones((1, 2), np.int32)))
says(lambda: solver.shares(1, np.ones((2, 6), np.int32), out=np.ones((2, 6), np.float32)))
print(json.dumps(said))`;
    expect(python(c, program)).toEqual([
      "ValueError: layer: expected one of [1, 4], got 0.",
      "TypeError: load: expected a numpy array, got list.",
      "TypeError: load: expected int32, got int64.",
      "ValueError: load: expected a shape of (B, 3), got (3,).",
      "ValueError: load: expected a shape of (2, 3), got (2, 4).",
      "ValueError: load: expected a contiguous, aligned array: np.ascontiguousarray(load) makes one.",
      "ValueError: base: expected a shape of (2, 2), got (1, 2).",
      "ValueError: out: expected a shape of (2, 3, 2), got (2, 6).",
    ]);
  });

  test("C without SSE, as on other machines, answers the same", () => {
    const program = `import evenkeel
load = np.random.default_rng(1).integers(0, 9000, (1001, 64), dtype=np.int32)
quota, proof, left = evenkeel.Evenkeel().solve(0, load)
print(json.dumps([left, quota.tolist(), proof.tolist()]))`;
    const where = writeExported(join(folder, "plain"), new Map([[0, cube]]), "c");
    compile("make", ["-s"], where);
    const fast = python(where, program) as [number, ...unknown[]];
    compileC(where, ["-U__SSE2__"]);
    expect(python(where, program)).toEqual(fast);
    expect(fast[0]).toBe(0);
  });
});

describe.skipIf(missing)(`docs/runtimes.md${missing}`, () => {
  const { blocks } = documentAt("docs/runtimes.md");
  const programs = blocks.filter(({ info }) => info === "python");

  test("its program in Python prints what it shows", async () => {
    const where = join(folder, "document");
    mkdirSync(where);
    const placement = blocks.find(({ info }) => info === "json placement.json")!;
    writeFileSync(join(where, "placement.json"), placement.content);
    const args = ["placement.json", "--gpus", "3", "--target", "c", "--out", "."];
    expect(await evenkeel(["export", ...args], withoutSoftware, undefined, where)).toMatchObject({
      code: 0,
      stderr: "",
    });
    compile("make", ["-s"], where);
    writeFileSync(join(where, "program.py"), programs[0].content);
    const printed = execFileSync("python3", ["program.py"], { cwd: where, encoding: "utf8" });
    expect(printed).toBe(blocks[blocks.indexOf(programs[0]) + 1].content);
  });

  test("its object for SGLang refuses another placement, and solves in place of theirs", () => {
    const program = `import evenkeel, torch
from evenkeel import *
class T(torch.Tensor):
    device = "cuda:0"
    def tolist(self): return self.array.tolist()
    def __getitem__(self, at): return T(self.array[at])
    def copy_(self, other): self.array[...] = getattr(other, "array", other)
torch.int32, torch.float32 = np.int32, np.float32
torch.empty = torch.zeros = lambda *shape, dtype, device: T(np.zeros(shape[0] if isinstance(shape[0], tuple) else shape, dtype))
${programs[1].content}
class Theirs:
    more = 5
    def _count_and_all_reduce(self, topk_ids): return np.bincount(topk_ids.ravel(), minlength=3).astype(np.float32)
phy2log = T(np.array([0, 1, 2, 0, 1, -1]))
log2phy = T(np.array([[0, 3, -1], [1, 4, -1], [2, -1, -1]]))
ours = Balanced(1, Theirs(), phy2log, log2phy)
prob = ours.solve(np.array([[0, 1], [0, 1], [2, 0], [2, 0], [2, 0]])).array
said = []
for maps in ((T(np.array([0, 1, 2, 1, 0, -1])), log2phy), (phy2log, T(np.array([[3, 0], [1, 4], [2, -1]])))):
    try:
        Balanced(1, Theirs(), *maps)
    except ValueError as error:
        said.append(str(error))
print(json.dumps([ours.more, prob.sum(1).tolist(), list(prob.shape), float(5 * prob[0, 0] + 2 * prob[1, 0] + 3), said]))`;
    expect(python(cuda, program)).toEqual([
      ...[5, [1, 1, 1], [3, 3], 5],
      ["layer 1 has another placement than was exported", "layer 1 lists copies in another order, or not all of them"],
    ]);
  });
});

const noNvcc = nvccIsHere ? "" : " (skipped: no nvcc here)";

test.skipIf(noNvcc)(`nvcc has no warning for an A100, an H100 and a B200${noNvcc}`, () => {
  const where = writeExported(join(folder, "nvcc"), new Map([[0, cube]]), "cuda");
  const machines = ["80", "90", "100"].map((sm) => `-gencode=arch=compute_${sm},code=sm_${sm}`);
  const host = ["-Xcompiler", "-Wall,-Wextra,-Werror,-fPIC"];
  compile(
    "nvcc",
    [
      "-O3",
      "-t",
      "2",
      ...machines,
      "-Werror",
      "all-warnings",
      ...host,
      "-shared",
      "-o",
      "libevenkeel.so",
      "evenkeel.cu",
    ],
    where,
  );
  expect(readFileSync(join(where, "libevenkeel.so")).includes("evenkeel_launch_shares")).toBe(true);
});
