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
/** And a GPU to run on, reached by torch. */
export const cudaIsHere = nvccIsHere && runs("python3", "-c", "import torch; assert torch.cuda.is_available()");

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

/** What of torch evenkeel.py and its caller ask for, over numpy. */
const torch = `
import contextlib, types

class Tensor:
    is_cuda, device = True, "cuda:0"

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, f"torch.{array.dtype}"
        self.cuda = self.cpu = lambda: self
        self.numpy = lambda: array

    def __getitem__(self, part):
        return Tensor(self.array[part])

    def view(self, shape):
        return Tensor(self.array.reshape(shape))

    def is_contiguous(self):
        return self.array.flags.c_contiguous

    def data_ptr(self):
        return self.array.ctypes.data

from_numpy = Tensor
cuda = types.SimpleNamespace(
    device=lambda device: contextlib.nullcontext(), current_stream=lambda: types.SimpleNamespace(cuda_stream=0)
)
`;

/** As the Makefile does, for this machine's GPU. */
export function compileCuda(folder: string): void {
  compile("make", ["ARCH=native"], folder);
}

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

def call(layer, load, base, wholes, quota, proof, shares):
    if os.path.exists("evenkeel.c"):
        left = solver.solve(layer, load, base, quota, proof)[2]
        solver.shares(layer, quota, shares)
        return left
    import torch
    on_device = lambda array: None if array is None else torch.from_numpy(array).cuda()
    there = [on_device(whole.view(np.float32 if whole.dtype == np.float32 else np.int32)) for whole in wholes]
    inner = [whole[GUARD:-GUARD].view(part.shape) for whole, part in zip(there, (quota, proof, shares))]
    solver.solve(layer, on_device(load), inner[0], inner[1], on_device(base))
    solver.shares(layer, inner[0], inner[2])
    for whole, written in zip(wholes, there):
        whole[:] = written.cpu().numpy().view(whole.dtype)
    return int((proof[:, 0] != 0).sum())

def solve(job):
    batch, at = job["batch"], job["at"]
    load = words[at : at + batch * evenkeel.EXPERTS].reshape(batch, evenkeel.EXPERTS)
    at += load.size
    base = words[at : at + batch * evenkeel.GPUS].reshape(batch, evenkeel.GPUS) if job["base"] else None
    all_quota, quota = guarded((batch, evenkeel.SLOTS), np.int32)
    all_proof, proof = guarded((batch, evenkeel.PROOF), np.uint32)
    all_shares, shares = guarded((batch, evenkeel.EXPERTS, evenkeel.COPIES), np.float32)
    left = call(job["layer"], load, base, (all_quota, all_proof, all_shares), quota, proof, shares)
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

/** Captures a solve and its shares, and replays them on other loads. */
const capturing = `
import sys
import torch
from evenkeel import COPIES, EXPERTS, PROOF, SLOTS, Evenkeel

layer, batch = int(sys.argv[1]), 300
solver = Evenkeel()
on = {"device": "cuda", "dtype": torch.int32}
load = torch.randint(0, 5000, (batch, EXPERTS), **on)

def buffers():
    made = [torch.full((batch, columns), -7, **on) for columns in (SLOTS, PROOF)]
    return made + [torch.full((batch, EXPERTS, COPIES), -7.0, device="cuda")]

def call(quota, proof, shares):
    solver.solve(layer, load, quota, proof)
    solver.shares(layer, quota, shares)

captured, plain = buffers(), buffers()
call(*captured)  # loads the module
torch.cuda.synchronize()
graph = torch.cuda.CUDAGraph()
with torch.cuda.graph(graph):
    call(*captured)
for _ in range(3):
    load.copy_(torch.randint(0, 5000, (batch, EXPERTS), **on))
    for one in captured:
        one.fill_(-7)
    graph.replay()
    call(*plain)
    torch.cuda.synchronize()
    assert all(torch.equal(a, b) for a, b in zip(captured, plain)), "other answers in a graph"
    assert (captured[1][:, 0] == 0).all(), "a gap"
print("as without a graph")
`;

export function replayGraph(folder: string, layer: number): string {
  writeFileSync(join(folder, "capture.py"), capturing);
  return execFileSync("python3", ["capture.py", String(layer)], { cwd: folder, encoding: "utf8" });
}
