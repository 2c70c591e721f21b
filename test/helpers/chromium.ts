import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { dirname, join } from "node:path";
import type { Duplex } from "node:stream";
import { brotliDecompressSync } from "node:zlib";
import { parseTar } from "nanotar";

const packed = new URL("../../node_modules/@sparticuz/chromium/bin/", import.meta.url);
const debian = "/usr/bin/chromium";

export const chromiumPresent = (process.platform === "linux" && existsSync(packed)) || existsSync(debian);
/** For the names of tests. */
export const needsChromium = chromiumPresent
  ? "(in Chromium)"
  : "(SKIPPED: no Chromium, which npm ci brings on linux-x64)";

/** What a page is looked at with: CSS pixels, and what the reader prefers. */
export interface View {
  width: number;
  dark?: boolean;
}

type Call = ReturnType<typeof protocol>;

/** Of this process, for all pages that it looks at: starting a browser takes far longer than loading a page. */
let browser: Call | undefined;

/**
 * Opens a page in headless Chromium and returns the value of an expression in it, once the page has loaded.
 *
 * The browser is that of @sparticuz/chromium, which `npm ci` brings and which is unpacked once per run, with the libraries that a bare
 * machine lacks; Debian's where the package is not installed.
 */
export async function evaluateInChromium(
  page: URL,
  expression: string,
  { width, dark = false }: View = { width: 1280 },
): Promise<unknown> {
  browser ??= startChromium();
  const call = browser;
  const { targetId } = await call("Target.createTarget", { url: "about:blank" });
  try {
    const { sessionId } = await call("Target.attachToTarget", { targetId, flatten: true });
    const screen = { width, height: 800, deviceScaleFactor: 1, mobile: width < 600 };
    await call("Emulation.setDeviceMetricsOverride", screen, sessionId);
    const scheme = { name: "prefers-color-scheme", value: dark ? "dark" : "light" };
    await call("Emulation.setEmulatedMedia", { features: [scheme] }, sessionId);
    await call("Page.navigate", { url: page.href }, sessionId); // answers when the new document is there
    const whenLoaded = `new Promise((done) => document.readyState === "complete" ? done() : addEventListener("load", done))`;
    const { result, exceptionDetails } = await call(
      "Runtime.evaluate",
      { expression: `${whenLoaded}.then(() => (${expression}))`, awaitPromise: true, returnByValue: true },
      sessionId,
    );
    if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
    return result.value;
  } finally {
    await call("Target.closeTarget", { targetId });
  }
}

/** Ends with this process, which its pipes do, and keeps it from no end. */
function startChromium(): Call {
  const home = mkdtempSync(join(process.env.EVENKEEL_TEST_BROWSER!, "home-"));
  const env = { ...process.env, HOME: home };
  let program = debian;
  if (existsSync(packed)) {
    const whole = unpacked();
    Object.assign(env, { LD_LIBRARY_PATH: join(whole, "lib"), FONTCONFIG_PATH: join(whole, "fonts") });
    program = join(whole, "chromium");
  }
  // The DevTools protocol over two pipes, descriptors 3 and 4: --dump-dom is not built into that Chromium.
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe"];
  const chromium = spawn(program, flags, { env, stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
  const pipes = chromium.stdio.slice(3) as Socket[];
  for (const one of [chromium, ...pipes]) one.unref();
  chromium.once("exit", () => {
    browser = undefined; // the next page gets another
  });
  return protocol(pipes[0], pipes[1]);
}

/** Calls methods of the DevTools protocol: JSON messages, each ended by a zero byte. */
function protocol(commands: Duplex, answers: Duplex) {
  // biome-ignore lint/suspicious/noExplicitAny: each method answers something else, see chromedevtools.github.io/devtools-protocol
  const waiting = new Map<number, { resolve(result: any): void; reject(error: Error): void }>();
  let received = "";
  answers.on("data", (chunk: Buffer) => {
    const messages = (received + chunk.toString()).split("\0");
    received = messages.pop()!;
    for (const { id, result, error } of messages.map((message) => JSON.parse(message))) {
      if (error) waiting.get(id)?.reject(new Error(error.message));
      else waiting.get(id)?.resolve(result);
    }
  });
  answers.on("close", () => {
    for (const { reject } of waiting.values()) reject(new Error("Chromium has gone."));
  });
  commands.on("error", () => {}); // it has gone, which `answers` says
  let calls = 0;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  return (method: string, params: object, sessionId?: string): Promise<any> =>
    new Promise((resolve, reject) => {
      const id = ++calls;
      waiting.set(id, { resolve, reject });
      commands.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
}

/** The folder that it is in, which appears whole: files of two processes may ask for it at once. */
function unpacked(): string {
  const shared = process.env.EVENKEEL_TEST_BROWSER!; // chromium_folder.ts
  const whole = join(shared, "whole");
  if (existsSync(whole)) return whole;
  const own = mkdtempSync(join(shared, "part-"));
  unpack(own);
  try {
    renameSync(own, whole);
  } catch {
    rmSync(own, { recursive: true }); // the other one was faster
  }
  return whole;
}

function unpack(folder: string): void {
  const archive = (name: string) => brotliDecompressSync(readFileSync(new URL(name, packed)));
  for (const name of ["al2023.tar.br", "fonts.tar.br"]) {
    for (const { name: path, data } of parseTar(archive(name))) {
      if (!data) continue;
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), data);
    }
  }
  writeFileSync(join(folder, "chromium"), archive("chromium.br"), { mode: 0o755 });
}
