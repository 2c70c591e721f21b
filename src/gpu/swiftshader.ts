import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir, tmpdir } from "node:os";
import { basename, isAbsolute, join } from "node:path";
import { pathToFileURL } from "node:url";
import { brotliDecompressSync } from "node:zlib";
import { parseTar } from "nanotar";
import { environment } from "./environment.ts";

const source = "@sparticuz/chromium";
const testedVersion = "147.0.0";
const loader = "libvulkan.so.1";
const driver = "vk_swiftshader_icd.json";
const wanted = [loader, driver, "libvk_swiftshader.so"]; // the archive also holds GL libraries, of no use here

/** Paths of SwiftShader, a Vulkan driver that runs on the CPU, and of the Vulkan loader that comes with it. */
export interface SwiftShader {
  loader: string;
  driver: string;
}

/**
 * Unpacks SwiftShader from the npm package @sparticuz/chromium into the user's cache, once per version of that package.
 *
 * @throws {Error} The machine is not linux-x64, the package is not installed, or there is nowhere to write.
 */
export function unpackSwiftShader(): SwiftShader {
  const machine = `${process.platform}-${process.arch}`;
  if (machine !== "linux-x64") throw new Error(`${source} brings it for linux-x64 only, and this is ${machine}`);
  let entry: string;
  try {
    entry = createRequire(import.meta.url).resolve(source);
  } catch {
    throw new Error(`it is not installed; npm install ${source}@${testedVersion}`);
  }
  const root = new URL("../../", pathToFileURL(entry)); // the entry is build/cjs/index.cjs; nothing else is exported
  const { version } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
  const archive = new URL("bin/swiftshader.tar.br", root);

  let folder = join(cacheFolder(), "evenkeel", `swiftshader-${version}`);
  try {
    unpack(archive, folder);
  } catch {
    // A fresh folder, not a shared one: whoever could write to it could choose what this process runs.
    const own = mkdtempSync(join(tmpdir(), "evenkeel-"));
    process.once("exit", () => rmSync(own, { recursive: true, force: true }));
    folder = own;
    unpack(archive, folder);
  }
  return { loader: join(folder, loader), driver: join(folder, driver) };
}

function cacheFolder(): string {
  const xdg = environment("XDG_CACHE_HOME");
  return xdg && isAbsolute(xdg) ? xdg : join(homedir(), ".cache"); // the XDG specification: ignore a relative path
}

/** Every file appears whole or not at all, so one that is there can be trusted, whoever else is unpacking. */
function unpack(archive: URL, folder: string): void {
  if (wanted.every((name) => existsSync(join(folder, name)))) return;
  mkdirSync(folder, { recursive: true });
  for (const { name, data } of parseTar(brotliDecompressSync(readFileSync(archive)))) {
    const file = basename(name);
    if (!data || !wanted.includes(file)) continue;
    const partial = join(folder, `${file}.${randomUUID()}`);
    try {
      writeFileSync(partial, data, { flush: true });
      renameSync(partial, join(folder, file));
    } finally {
      rmSync(partial, { force: true });
    }
  }
}
