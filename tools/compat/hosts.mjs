// The runtimes: name, where it is, where it should find WebGPU, and run({ folder, swiftShader, timeoutMs }), which gives the program's report.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import puppeteer from "puppeteer-core";

const bin = fileURLToPath(new URL("node_modules/.bin/", import.meta.url));

// What WebGPU without a GPU takes in each.
const firefoxPrefs = {
  "dom.webgpu.enabled": true,
  "gfx.webgpu.ignore-blocklist": true,
  "gfx.webgpu.force-enabled": true,
};
const chromiumFlags = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

export const hosts = [
  commandLine("deno", "host", {
    run: ["run", "--no-prompt"], // no permission at all: neither the environment nor a file may be read
    runCli: ["run", "--allow-all"],
    env: { DENO_WEBGPU_BACKEND: "vulkan", DENO_NO_UPDATE_CHECK: "1" },
  }),
  browser("firefox", "/usr/bin/firefox-esr", { browser: "firefox", extraPrefsFirefox: firefoxPrefs }),
  browser("chromium", "/usr/bin/chromium", {
    browser: "chrome",
    args: ["--no-sandbox", ...chromiumFlags],
    ownVulkan: true, // and SwiftShader with it; beside another's loader it finds none
  }),
  commandLine("bun", "swiftshader", { run: ["run"], runCli: ["run"], env: {} }),
];

function commandLine(name, source, { run, runCli, env }) {
  const path = join(bin, name);
  return {
    name,
    path,
    source,
    async run({ folder, swiftShader, timeoutMs }) {
      const options = { cwd: folder, env: { ...process.env, ...swiftShader, ...env } };
      const report = JSON.parse(await output(path, [...run, "program.mjs"], options, timeoutMs));
      const cli = [...runCli, "node_modules/evenkeel/dist/cli.js", "doctor", "--json"];
      const { runtime, kernels } = JSON.parse(await output(path, cli, options, timeoutMs));
      for (const { kernel, ok, reason } of kernels) if (!ok) report.failures.push(`doctor: ${kernel}: ${reason}`);
      if (kernels.length === 0) report.failures.push("doctor: no kernel works");
      return { ...report, runtime };
    },
  };
}

/** What a program prints.  @throws {Error} It fails, or takes too long. */
async function output(path, args, options, timeoutMs) {
  const child = spawn(path, args, { ...options, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const timer = setTimeout(() => process.kill(-child.pid, "SIGKILL"), timeoutMs); // the group: `path` may be a launcher
  const printed = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"]) {
    child[stream].setEncoding("utf8").on("data", (text) => {
      printed[stream] += text;
    });
  }
  const [code, signal] = await new Promise((resolve, reject) => {
    child.on("error", reject).on("close", (...ended) => resolve(ended));
  });
  clearTimeout(timer);
  // doctor exits with 1, and a JSON, where no kernel works
  if (code === 0 || (args.includes("doctor") && code === 1)) return printed.stdout;
  throw new Error(`it ended with ${signal ?? code}: ${printed.stderr.slice(-2000)}`);
}

function browser(name, path, { ownVulkan = false, ...launch }) {
  return {
    name,
    path,
    source: "browser",
    async run({ folder, swiftShader, timeoutMs }) {
      const env = ownVulkan ? process.env : { ...process.env, ...swiftShader };
      const limits = { timeout: timeoutMs, protocolTimeout: timeoutMs };
      const opened = await puppeteer.launch({
        ...launch,
        ...limits,
        protocol: "webDriverBiDi",
        executablePath: path,
        env,
      });
      const server = await serve(folder);
      try {
        const page = await opened.newPage();
        page.setDefaultNavigationTimeout(timeoutMs);
        const errors = [];
        page.on("pageerror", (error) => errors.push(String(error)));
        await page.goto(`http://localhost:${server.address().port}/index.html`); // a secure context, as WebGPU wants
        const report = await page.evaluate("globalThis.report");
        if (!report) throw new Error(`the page has no report: ${errors.join("; ")}`);
        const [title, version] = (await opened.version()).split("/");
        return { ...report, runtime: `${title[0].toUpperCase()}${title.slice(1)} ${version}` };
      } finally {
        server.close();
        await opened.close();
      }
    },
  };
}

async function serve(folder) {
  const types = { html: "text/html", js: "text/javascript" };
  const server = createServer(({ url }, response) => {
    const file = join(folder, url.slice(1));
    const known = /^\/\w+\.(html|js)$/.test(url) && existsSync(file);
    response.writeHead(known ? 200 : 404, { "content-type": types[url.split(".").pop()] ?? "text/plain" });
    response.end(known ? readFileSync(file) : "");
  });
  await new Promise((resolve) => server.listen(0, "localhost", resolve));
  return server;
}
