// A browser with one tab on the site, and what a check does there.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { launch, versionOf } from "../compat/browsers.mjs";

const TIMEOUT_MS = 30_000; // of whatever a check waits for, unless it says otherwise
const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 360, height: 740 };

const root = new URL("../../", import.meta.url);
const axeSource = readFileSync(new URL("tools/compat/node_modules/axe-core/axe.min.js", root), "utf8");
const artefacts = fileURLToPath(new URL("artefacts/site/", root));

/**
 * Opens a browser.
 *
 * @param name    "firefox" or "chromium".
 * @param server  as `serve` gives it.
 * @param options.webgpu  false: the browser has none.
 * @returns what checks are given, see CONTRIBUTING.md; `version` of the browser, `renew` for another tab, `close`.
 */
export async function openVisitor(name, server, { swiftShader, webgpu }) {
  const browser = await launch(name, { swiftShader, webgpu, timeoutMs: 2 * TIMEOUT_MS });
  const uploads = mkdtempSync(join(tmpdir(), "evenkeel-site-"));
  const visitor = {
    browser: name,
    webgpu,
    url: server.url,
    server,
    version: await versionOf(browser),
    /** Errors on the console, exceptions, answers of 400 and more, requests that leave the origin: they fail a check that does not expect them. */
    errors: [],
    page: undefined,

    /** A fresh tab. */
    async renew() {
      await this.page?.close().catch(() => {});
      this.page = await browser.newPage();
      this.page.setDefaultTimeout(TIMEOUT_MS);
      listen(this.page, server.url, this.errors);
      await this.page.evaluateOnNewDocument(rememberDevices);
      await this.page.setViewport(WIDE);
    },

    async close() {
      rmSync(uploads, { recursive: true });
      await browser.close();
    },

    /** Loads a page: goto("index.html", { hash: "state" }). */
    async goto(file, { query, hash } = {}) {
      const url = `${server.url}${file}${query ? `?${query}` : ""}${hash ? `#${hash}` : ""}`;
      if (this.page.url().split("#")[0] === url.split("#")[0]) await this.page.goto("about:blank"); // else only the hash changes
      await this.page.goto(url);
      await this.page.waitForSelector("main h1");
    },

    /** The element with this accessible name, as soon as it is there. */
    find(accessibleName, role = "button", timeout = TIMEOUT_MS) {
      return this.page.waitForSelector(`aria/${accessibleName}[role="${role}"]`, { timeout });
    },
    async click(accessibleName, role) {
      const found = await this.find(accessibleName, role);
      await found.click();
    },
    /** Types into a field in place of what is there. */
    async fill(accessibleName, value, role = "textbox") {
      const found = await this.find(accessibleName, role);
      await found.focus();
      await found.evaluate((field) => field.select());
      if (value === "") await this.page.keyboard.press("Backspace");
      else await this.page.keyboard.type(String(value));
    },
    /** Chooses in a list, by the option's value. */
    async select(accessibleName, value) {
      const found = await this.find(accessibleName, "combobox");
      await found.select(value);
    },

    /** What a reader sees, of the page or a part of it. */
    text(selector = "body") {
      return this.page.$eval(selector, (element) => element.innerText);
    },
    /** Waits until the page shows a text or what fits a pattern, and gives all that it shows. */
    async waitFor(wanted, { selector = "body", timeout = TIMEOUT_MS } = {}) {
      const fits = (text) => (typeof wanted === "string" ? text.includes(wanted) : wanted.test(text));
      const end = performance.now() + timeout;
      for (;;) {
        const text = await this.text(selector).catch(() => "");
        if (fits(text)) return text;
        if (performance.now() > end)
          throw new Error(`expected ${wanted} within ${timeout} ms, the page shows:\n${text}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },

    /** Gives a file to the page's chooser. */
    async upload(fileName, content) {
      const path = join(uploads, fileName);
      writeFileSync(path, content);
      const input = await this.page.waitForSelector("input[type=file]", { hidden: false, visible: false });
      await input.uploadFile(path);
    },
    /** Drops files on the page, as from a file manager: [[name, content], ...]. */
    async drop(files) {
      const encoded = files.map(([fileName, content]) => [fileName, Buffer.from(content).toString("base64")]);
      await this.page.evaluate((all) => {
        const dataTransfer = new DataTransfer();
        for (const [fileName, base64] of all) {
          dataTransfer.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], fileName));
        }
        for (const type of ["dragover", "drop"]) {
          document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
        }
      }, encoded);
    },

    /** Destroys every device that the page's own thread has: they are lost in the middle of whatever it does. Gives how many there were. */
    loseDevices() {
      return this.page.evaluate(() => globalThis.devices.splice(0).map((device) => device.destroy()).length);
    },

    /** Waits for an error that the check has brought about, and takes it from those that would fail it. */
    async expectError(pattern) {
      const find = () => this.errors.findIndex((error) => pattern.test(error));
      const end = performance.now() + TIMEOUT_MS;
      while (find() < 0) {
        if (performance.now() > end)
          throw new Error(`expected an error like ${pattern}, got ${this.errors.join("; ") || "none"}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      for (let at = find(); at >= 0; at = find()) this.errors.splice(at, 1);
    },

    /** A picture for the eye, artefacts/site/BROWSER_PAGE_NAME.png: of the whole page, or of the screen only. */
    async shot(shotName, { fullPage = true } = {}) {
      mkdirSync(artefacts, { recursive: true });
      const page = basename(new URL(this.page.url()).pathname, ".html") || "index";
      const path = join(artefacts, `${name}_${page}_${shotName}.png`);
      await this.page.screenshot({ path, fullPage });
    },

    /** @throws {Error} axe finds a serious or critical fault in the page as it is. */
    async axe() {
      await this.page.evaluate(`globalThis.axe ?? (() => { ${axeSource} })()`);
      const violations = await this.page.evaluate(async () => {
        const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
        return violations.map(({ id, impact, help, nodes }) => ({
          ...{ id, impact, help },
          nodes: nodes.map(({ html, failureSummary }) => `${html.slice(0, 200)}: ${failureSummary}`),
        }));
      });
      const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
      if (serious.length === 0) return;
      const words = serious.map(
        ({ id, impact, help, nodes }) => `${id}, ${impact}: ${help}\n${nodes.slice(0, 3).join("\n")}`,
      );
      throw new Error(`axe: ${words.join("\n")}`);
    },

    narrow() {
      return this.page.setViewport(NARROW);
    },
    wide() {
      return this.page.setViewport(WIDE);
    },
    /** A dark screen or a light one. */
    async dark(on) {
      const query = `matchMedia("(prefers-color-scheme: dark)").matches === ${on}`;
      if (name === "chromium") {
        await this.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: on ? "dark" : "light" }]);
      } else {
        await setFirefoxPref(browser, "layout.css.prefers-color-scheme.content-override", on ? 0 : 1);
      }
      await this.page.waitForFunction(query);
    },
  };
  await visitor.renew();
  return visitor;
}

function listen(page, url, errors) {
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => errors.push(`uncaught: ${error.stack ?? error}`));
  page.on("response", (response) => {
    if (response.status() >= 400) errors.push(`${response.url()}: ${response.status()}`);
  });
  page.on("request", (request) => {
    const local = [url, "data:", "blob:", "about:"].some((start) => request.url().startsWith(start));
    if (!local) errors.push(`a request left the origin: ${request.url()}`);
  });
}

/** Runs in the page before its own scripts. */
function rememberDevices() {
  globalThis.devices = [];
  const { requestDevice } = globalThis.GPUAdapter?.prototype ?? {};
  if (!requestDevice) return;
  GPUAdapter.prototype.requestDevice = async function (...descriptor) {
    const device = await requestDevice.apply(this, descriptor);
    globalThis.devices.push(device);
    return device;
  };
}

/** WebDriver BiDi has no colour schemes yet; Firefox has prefs, in the scope of its own windows. */
async function setFirefoxPref(browser, pref, value) {
  const { result } = await browser.connection.send("browsingContext.getTree", { "moz:scope": "chrome" });
  const expression = `Services.prefs.setIntPref(${JSON.stringify(pref)}, ${value})`;
  const target = { context: result.contexts[0].context };
  await browser.connection.send("script.evaluate", { expression, target, awaitPromise: false });
}
