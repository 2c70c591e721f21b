/** Compiles what `evenkeel export` writes, and calls it as a runtime does: from Python, through the loader that lies beside it. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exportedFiles } from "../../src/cli/export/exported_files.ts";
import type { Target } from "../../src/cli/export/exported_source.ts";
import type { Placement } from "../../src/index.ts";

const runs = (command: string, ...args: string[]) => spawnSync(command, args).status === 0;

export const gccIsHere = runs("gcc", "--version") && runs("g++", "--version");
export const numpyIsHere = runs("python3", "-c", "import numpy");
export const nvccIsHere = runs("nvcc", "--version");

/** As strict as compilers are asked to be of exported code. */
export const strict = ["-Wall", "-Wextra", "-Werror"];

/** Writes the files into a folder of their own, and returns it. */
export function writeExported(folder: string, placements: ReadonlyMap<number, Placement>, target: Target): string {
  mkdirSync(folder, { recursive: true });
  const files = exportedFiles(placements, target, { version: "0.0.0", file: "placement.json" });
  for (const [name, content] of files) writeFileSync(join(folder, name), content);
  return folder;
}

/** @throws with the compiler's messages. */
export function compile(command: string, args: readonly string[], cwd: string): void {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}\n${stdout}${stderr}`);
}

export function compileC(folder: string, flags: readonly string[] = ["-std=c11", "-pedantic"]): void {
  compile("gcc", ["-O2", ...flags, ...strict, "-fPIC", "-shared", "-o", "libevenkeel.so", "evenkeel.c"], folder);
}

/** What of CUDA the host's side of evenkeel.cu needs, with threads one after the other: its solve as plain C++. */
const shim = `
#include <math.h>
#include <stdint.h>
#include <stddef.h>
#define __device__
#define __global__
#define __launch_bounds__(threads)
typedef int cudaError_t;
typedef void *cudaStream_t;
enum { cudaSuccess = 0, cudaErrorInvalidValue = 1 };
struct dim3 { unsigned x; };
static thread_local dim3 blockIdx, threadIdx;
static inline cudaError_t cudaGetLastError() { return cudaSuccess; }
template <typename Kernel, typename... Arguments>
static void launch(unsigned blocks, unsigned threads, cudaStream_t, Kernel kernel, Arguments... given)
{
  for (blockIdx.x = 0; blockIdx.x < blocks; blockIdx.x++)
    for (threadIdx.x = 0; threadIdx.x < threads; threadIdx.x++) kernel(given...);
}
`;

/** What of torch evenkeel.py asks for, over numpy. */
const torch = `
import contextlib, types

class Tensor:
    is_cuda, device = True, "cuda:0"

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, f"torch.{array.dtype}"

    def is_contiguous(self):
        return self.array.flags.c_contiguous

    def data_ptr(self):
        return self.array.ctypes.data

cuda = types.SimpleNamespace(
    device=lambda device: contextlib.nullcontext(), current_stream=lambda: types.SimpleNamespace(cuda_stream=0)
)
`;

/** evenkeel.cu as C++ without a GPU, and a stand-in for torch. */
export function compileCudaAsCpp(folder: string): void {
  const launches = /(\w[\w#]*)<<<(.*), THREADS, 0, stream>>>\(/g;
  const source = readFileSync(join(folder, "evenkeel.cu"), "utf8");
  const replaced = source.replaceAll(launches, "launch($2, THREADS, stream, $1, ");
  writeFileSync(join(folder, "cuda_runtime.h"), shim);
  writeFileSync(join(folder, "torch.py"), torch);
  writeFileSync(join(folder, "evenkeel.cpp"), replaced);
  compile("g++", ["-O1", ...strict, "-I.", "-fPIC", "-shared", "-o", "libevenkeel.so", "evenkeel.cpp"], folder);
}

/** What a runtime answers for one batch. */
export interface Answered {
  readonly quota: Int32Array;
  readonly proof: Uint32Array;
  readonly shares: Float32Array;
  readonly left: number;
}

export interface Batch {
  readonly layer: number;
  readonly batch: number;
  /** [B, E] */
  readonly load: Int32Array;
  /** [B, G] */
  readonly base?: Int32Array;
}

/** Reads jobs.json and the loads beside it, calls the library, and writes what it answered. */
const caller = `
import json, os, sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import evenkeel

GUARD = 64
solver = evenkeel.Evenkeel()
jobs = json.load(open("jobs.json"))
words = np.fromfile("loads.bin", np.int32)

def guarded(shape, dtype):
    size = int(np.prod(shape))
    whole = np.full(size + 2 * GUARD, 0xA5A5A5A5 if dtype != np.float32 else 3.25e7, np.uint32 if dtype != np.float32 else dtype).view(dtype)
    return whole, whole[GUARD : GUARD + size].reshape(shape)

def intact(whole):
    edges = np.concatenate([whole[:GUARD], whole[-GUARD:]])
    return bool((edges == edges[0]).all()) and edges[0] == guarded((1,), whole.dtype.type)[0][0]

def call(layer, load, base, quota, proof, shares):
    if os.path.exists("evenkeel.c"):
        left = solver.solve(layer, load, base, quota, proof)[2]
        solver.shares(layer, quota, shares)
        return left
    import torch
    on_device = lambda array: None if array is None else torch.Tensor(array)
    load, base, quota, words, shares = map(on_device, (load, base, quota, proof.view(np.int32), shares))
    solver.solve(layer, load, quota, words, base)
    solver.shares(layer, quota, shares)
    return int((proof[:, 0] != 0).sum())

def solve(job):
    batch, at = job["batch"], job["at"]
    load = words[at : at + batch * evenkeel.EXPERTS].reshape(batch, evenkeel.EXPERTS)
    at += load.size
    base = words[at : at + batch * evenkeel.GPUS].reshape(batch, evenkeel.GPUS) if job["base"] else None
    all_quota, quota = guarded((batch, evenkeel.SLOTS), np.int32)
    all_proof, proof = guarded((batch, evenkeel.PROOF), np.uint32)
    all_shares, shares = guarded((batch, evenkeel.EXPERTS, evenkeel.COPIES), np.float32)
    left = call(job["layer"], load, base, quota, proof, shares)
    if not (intact(all_quota) and intact(all_proof) and intact(all_shares)):
        sys.exit("written outside of the arrays")
    return quota, proof, shares, left

answers = [solve(job) for job in jobs]
with ThreadPoolExecutor(4) as threads:  # ctypes lets go of the lock: calls overlap
    again = list(threads.map(solve, jobs))
for one, other in zip(answers, again):
    for a, b in zip(one, other):
        if not np.array_equal(a, b):
            sys.exit("other answers in threads")
with open("answers.bin", "wb") as out:
    for quota, proof, shares, left in answers:
        for part in (quota, proof, shares, np.array([left], np.int32)):
            out.write(part.tobytes())
`;

/** @param sizes  of the layers: GPUs, slots, experts and the most slots of one. */
export function callFromPython(
  folder: string,
  batches: readonly Batch[],
  sizes: { slots: number; words: number; shares: number },
): Answered[] {
  let at = 0;
  const jobs = batches.map(({ layer, batch, load, base }) => {
    const job = { layer, batch, base: base !== undefined, at };
    at += load.length + (base?.length ?? 0);
    return job;
  });
  const parts = batches.flatMap(({ load, base }) => (base ? [load, base] : [load]));
  writeFileSync(join(folder, "loads.bin"), Buffer.concat(parts.map(bytesOf)));
  writeFileSync(join(folder, "jobs.json"), JSON.stringify(jobs));
  writeFileSync(join(folder, "call.py"), caller);
  execFileSync("python3", ["call.py"], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  const { buffer } = Uint8Array.from(readFileSync(join(folder, "answers.bin")));
  let next = 0;
  const take = <T>(View: new (buffer: ArrayBuffer, at: number, length: number) => T, length: number): T => {
    next += 4 * length;
    return new View(buffer, next - 4 * length, length);
  };
  return batches.map(({ batch }) => ({
    quota: take(Int32Array, batch * sizes.slots),
    proof: take(Uint32Array, batch * sizes.words),
    shares: take(Float32Array, batch * sizes.shares),
    left: take(Int32Array, 1)[0],
  }));
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Int32Array) => Buffer.from(buffer, byteOffset, byteLength);
