// The runtimes: name, where it is, where it should find WebGPU, and run({ folder, swiftShader, timeoutMs }), which gives the program's report.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { browsers, launch, versionOf } from "./browsers.mjs";
import { serve } from "./server.mjs";

const bin = fileURLToPath(new URL("node_modules/.bin/", import.meta.url));

export const hosts = [
  commandLine("deno", "host", {
    run: ["run", "--no-prompt"], // no permission at all: neither the environment nor a file may be read
    runCli: ["run", "--allow-all"],
    env: { DENO_WEBGPU_BACKEND: "vulkan", DENO_NO_UPDATE_CHECK: "1" },
  }),
  browser("firefox"),
  browser("chromium"),
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

function browser(name) {
  return {
    name,
    path: browsers[name].path,
    source: "browser",
    async run({ folder, swiftShader, timeoutMs }) {
      const opened = await launch(name, { swiftShader, timeoutMs });
      const server = await serve(folder);
      try {
        const page = await opened.newPage();
        page.setDefaultNavigationTimeout(timeoutMs);
        const errors = [];
        page.on("pageerror", (error) => errors.push(String(error)));
        await page.goto(`${server.url}index.html`);
        const report = await page.evaluate("globalThis.report");
        if (!report) throw new Error(`the page has no report: ${errors.join("; ")}`);
        return { ...report, runtime: await versionOf(opened) };
      } finally {
        await server.stop();
        await opened.close();
      }
    },
  };
}
