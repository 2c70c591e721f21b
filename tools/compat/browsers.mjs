// Debian's browsers, driven by WebDriver BiDi, with WebGPU on SwiftShader: the one place that knows their flags.
import { mkdtempSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import puppeteer from "puppeteer-core";

// What WebGPU without a GPU takes in each.
const firefoxPrefs = {
  "dom.webgpu.enabled": true,
  "gfx.webgpu.ignore-blocklist": true,
  "gfx.webgpu.force-enabled": true,
};
const chromiumFlags = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

export const browsers = {
  firefox: {
    path: "/usr/bin/firefox-esr",
    launch: ({ webgpu }) => ({
      browser: "firefox",
      args: ["--remote-allow-system-access"], // tools/site sets prefs while it runs
      extraPrefsFirefox: webgpu ? firefoxPrefs : { "dom.webgpu.enabled": false },
    }),
  },
  chromium: {
    path: "/usr/bin/chromium",
    launch: ({ webgpu }) => ({ browser: "chrome", args: ["--no-sandbox", ...(webgpu ? chromiumFlags : [])] }),
    ownVulkan: true, // and SwiftShader with it; beside another's loader it finds none
  },
};

/** A browser of `browsers`, as puppeteer has it; the caller closes it. `swiftShader` as `swiftShaderEnvironment` gives it. */
export function launch(name, { swiftShader, timeoutMs, webgpu = true }) {
  const { path, launch, ownVulkan } = browsers[name];
  return puppeteer.launch({
    ...launch({ webgpu }),
    ...{ timeout: timeoutMs, protocolTimeout: timeoutMs },
    protocol: "webDriverBiDi",
    executablePath: path,
    env: ownVulkan ? process.env : { ...process.env, ...swiftShader },
  });
}

/** "Firefox 153.7.0" */
export async function versionOf(browser) {
  const [title, version] = (await browser.version()).split("/");
  return `${title[0].toUpperCase()}${title.slice(1)} ${version}`;
}

/** The environment in which Vulkan is SwiftShader. */
export async function swiftShaderEnvironment() {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const folder = mkdtempSync(join(root, "node_modules/.evenkeel-swiftshader-")); // inside, so that packages resolve
  try {
    const outfile = join(folder, "swiftshader.mjs");
    const entryPoints = [join(root, "src/gpu/swiftshader.ts")];
    await build({ entryPoints, outfile, bundle: true, format: "esm", platform: "node", packages: "external" });
    const { unpackSwiftShader } = await import(pathToFileURL(outfile).href);
    const { loader, driver } = unpackSwiftShader();
    return { LD_LIBRARY_PATH: dirname(loader), VK_ICD_FILENAMES: driver, VK_DRIVER_FILES: driver };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
