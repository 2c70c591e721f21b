/**
 * What a plan says of a placement file whose reader refuses further keys, as SGLang's and TensorRT-LLM's do: F.evenkeel.json beside F.json or F.yaml has
 * the number of GPUs, which no map shows, and the SHA-256 of that file, so that it is not believed beside another.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { requireWritable, writeWhole } from "./write_file.ts";

/** Where it lies, or none beside a pipe or a device. A link's is beside what it leads to, so that both names find it. */
export function sidecarOf(file: string): string | undefined {
  if (!existsSync(file)) return nameFor(file);
  return statSync(file).isFile() ? nameFor(realpathSync(file)) : undefined;
}

function nameFor(file: string): string {
  return `${file.replace(/\.(json|ya?ml)(\.gz)?$/, "")}.evenkeel.json`;
}

const sha256 = (content: Uint8Array | string) => createHash("sha256").update(content).digest("hex");

/** Throws now what `writeSidecar` would throw after long work.  @throws {ArgumentError} It cannot be written. */
export function requireSidecarWritable(option: string, file: string): void {
  const sidecar = sidecarOf(file);
  if (sidecar !== undefined) requireWritable(option, sidecar);
}

/**
 * Writes it beside a placement file, after that.
 *
 * @param content  of the placement file.
 * @throws {ArgumentError} It cannot be written.
 */
export function writeSidecar(option: string, file: string, content: string, gpus: number): void {
  const sidecar = sidecarOf(file);
  if (sidecar !== undefined) writeWhole(option, sidecar, `${JSON.stringify({ gpus, sha256: sha256(content) })}\n`);
}

/** The GPUs that a placement file was made for, where a sidecar says so and is of this file: `content`, unpacked. */
export function gpusBeside(file: string, content: Uint8Array): { gpus: number; file: string } | undefined {
  const sidecar = file === "-" ? undefined : sidecarOf(file);
  if (sidecar === undefined || !existsSync(sidecar)) return undefined;
  try {
    const said = JSON.parse(readFileSync(sidecar, "utf8"));
    const isOurs = said.sha256 === sha256(content) && Number.isInteger(said.gpus);
    return isOurs ? { gpus: said.gpus, file: sidecar } : undefined;
  } catch {
    return undefined; // no sidecar of ours: the file is as good as without
  }
}
