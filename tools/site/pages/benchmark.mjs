// The benchmark page as a reader uses it: a run from start to end, one that is stopped, one whose device is lost; files of others; without WebGPU.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const page = "benchmark.html";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const committed = readFileSync(`${root}bench/results/swiftshader_quick.json`, "utf8");

/** A batch's time in a page over that in Node, at most; the machine may be busy with something else now and then. */
const MOST_OVER_NODE = 1.5;
const TRIES = 3;
const RUN_MS = 100_000;

export const checks = [
  {
    name: "a question from start to end, and its JSON",
    async run(visitor) {
      await visitor.goto(page);
      await choose(visitor, "tokens-modes");
      await visitor.click("Start");
      await visitor.waitFor("so far");
      await visitor.waitFor("All questions have been asked: 8 rows", { timeout: RUN_MS });
      const { rows, meta } = await offered(visitor);
      expect(rows.length === 8 && rows.every(({ question }) => question === "tokens-modes"), "8 rows of tokens-modes");
      expect(
        rows.every(({ usPerLp, optimalShare }) => usPerLp > 0 && optimalShare === 1),
        "times, and proven answers",
      );
      const agent = await visitor.page.evaluate(() => navigator.userAgent);
      expect(meta.browser === agent && /software|swiftshader/i.test(meta.adapter), "the browser and its adapter");
      expect(meta.limits.maxBufferSize >= 2 ** 28 && meta.clockStepUs >= 5, "limits, and a coarse clock");
      const sameFields = Object.keys(JSON.parse(committed).rows.find(({ question }) => question === "tokens-modes"));
      expect(Object.keys(rows[0]).join() === sameFields.join(), "rows with the fields of bench/results");
      expect((await visitor.text()).includes("only amortised figures"), "a word on the budget");
      await visitor.axe();
      await visitor.shot("results");
    },
  },
  {
    name: "a file of results beside one's own, and broken ones",
    async run(visitor) {
      // Where the question before has left its rows.
      await visitor.drop([["broken.json", committed.slice(0, 5000)]]);
      await visitor.waitFor("broken.json: This is not JSON");
      await visitor.drop([["package.json", readFileSync(`${root}package.json`)]]);
      await visitor.waitFor(/package\.json: Expected a file that.*It has an object with name, version/s);
      await visitor.upload("swiftshader_quick.json", committed);
      const text = await visitor.waitFor("Side by side");
      expect(!text.includes("not JSON") && !text.includes("It has an object"), "no more complaints");
      expect(text.includes("time per LP against the batch"), "the plots of the file");
      const own = await visitor.page.$$eval(".compared tbody tr", (rows) =>
        rows.map((row) => row.innerText.split("\t")),
      );
      expect(own.length === 8, `8 rows in both, got ${own.length}`);
      for (const cells of own) expect(/^[\d.]+ x$/.test(cells[6]), `a ratio in ${cells}`);
      await visitor.axe();
      await visitor.shot("compared");
      await visitor.narrow();
      await visitor.page.$eval(".compared", (section) => section.scrollIntoView());
      await visitor.shot("compared_narrow", { fullPage: false });
      await visitor.wide();
      await visitor.page.click("#close"); // by its name it would be looked for in all of the file's plots
      expect(
        (await visitor.text()).includes("All questions have been asked: 8 rows"),
        "one's own rows are still there",
      );
    },
  },
  {
    name: "a device that is lost in the middle",
    async run(visitor) {
      await serveAnew(visitor, (script) => `${script};(${loseDevicesWhenTold})()`);
      try {
        await visitor.goto(page);
        await choose(visitor, "level", "solve-batch");
        await visitor.click("Start");
        await rowsSoFar(visitor, 2);
        await visitor.page.evaluate(() => new BroadcastChannel("lose devices").postMessage(""));
        await visitor.waitFor(/It could not go on: \d+ rows, below/, { timeout: RUN_MS });
        const told = await visitor.page.$$eval('[role="alert"]', (alerts) => alerts.map((alert) => alert.innerText));
        expect(
          told.length === 1 && /^The WebGPU device was lost .*Start again/s.test(told[0]),
          `one reason, got ${told}`,
        );
        expect((await offered(visitor)).rows.length >= 2, "what was measured");
        await visitor.shot("lost");
      } finally {
        await serveAnew(visitor, (script) => script);
      }
    },
  },
  {
    name: "batches of 1,024 take no more than 1.5 times what they take in Node; Stop keeps the rows",
    async run(visitor) {
      if (visitor.browser !== "chromium") return; // Firefox waits up to 100 ms for every answer
      let best = Number.POSITIVE_INFINITY;
      for (let tried = 0; tried < TRIES && best > MOST_OVER_NODE; tried++) {
        const here = byName((await stoppedRun(visitor)).rows);
        const node = byName(
          JSON.parse(execFileSync("node", ["scripts/run.mjs", "tools/site/cube_batch.ts"], { cwd: root })),
        );
        const ratios = Object.entries(node).map(([solver, us]) => [solver, here[solver] / us]);
        const words = ratios.map(
          ([solver, ratio]) => `${solver} ${here[solver].toFixed(3)} us per LP, ${ratio.toFixed(2)} x Node's`,
        );
        console.log(`  cube 8x2, batch 1,024: ${words.join("; ")}`);
        best = Math.min(best, Math.max(...ratios.map(([, ratio]) => ratio)));
      }
      expect(best <= MOST_OVER_NODE, `at most ${MOST_OVER_NODE} x Node's time, got ${best.toFixed(2)} x`);
    },
  },
  {
    name: "without WebGPU files can be looked at, and Start says why it cannot",
    webgpu: false,
    async run(visitor) {
      await visitor.goto(page);
      await visitor.click("Start");
      await visitor.waitFor(/It could not go on.*/s);
      expect((await visitor.text('[role="alert"]')).includes("No WebGPU adapter"), "a reason");
      await visitor.upload("swiftshader_quick.json", committed);
      await visitor.waitFor("Time per LP against the number of GPUs");
    },
  },
];

/** Ticks these questions and no others. */
async function choose(visitor, ...names) {
  await visitor.click("None");
  for (const name of names) await (await visitor.page.waitForSelector(`#${name}`)).click();
}

/** Waits until there are so many rows. */
async function rowsSoFar(visitor, count) {
  const enough = (text) => Number(/(\d+) rows so far/.exec(text)?.[1] ?? 0) >= count;
  await visitor.waitFor({ test: enough, toString: () => `${count} rows` }, { timeout: RUN_MS });
}

/** Our kernels on the first topology of solve-batch. */
async function stoppedRun(visitor) {
  await visitor.goto(page);
  await choose(visitor, "solve-batch");
  await visitor.click("Start");
  await rowsSoFar(visitor, 3);
  await visitor.shot("running");
  await visitor.click("Stop");
  await visitor.waitFor(/Stopped: \d+ rows, below/);
  return offered(visitor);
}

const byName = (rows) =>
  Object.fromEntries(
    rows.filter(({ solver }) => solver.startsWith("evenkeel")).map(({ solver, usPerLp }) => [solver, usPerLp]),
  );

/** What "Download JSON" offers, without a file in anybody's folder of downloads. */
async function offered(visitor) {
  await visitor.page.evaluate(() => {
    const make = URL.createObjectURL;
    URL.createObjectURL = (blob) => {
      globalThis.offered = blob.text();
      return make.call(URL, blob);
    };
    HTMLAnchorElement.prototype.click = function () {
      globalThis.offeredAs = this.download;
    };
  });
  await visitor.click("Download JSON");
  const [name, text] = await visitor.page.evaluate(async () => [globalThis.offeredAs, await globalThis.offered]);
  expect(/^evenkeel-bench-[a-z0-9-]+\.json$/.test(name), `a file's name, got ${name}`);
  return JSON.parse(text);
}

/** From now on the thread that measures is what `edit` makes of it, also where the site was kept for offline use. */
async function serveAnew(visitor, edit) {
  await visitor.goto(page);
  visitor.server.change("benchmark_worker.js", edit);
  await visitor.page.evaluate(async () => {
    for (const registration of await navigator.serviceWorker.getRegistrations()) await registration.unregister();
    for (const name of await caches.keys()) await caches.delete(name);
  });
  await visitor.renew();
}

/** Runs in the thread before it is asked for anything. */
function loseDevicesWhenTold() {
  const { requestDevice } = GPUAdapter.prototype;
  const devices = [];
  GPUAdapter.prototype.requestDevice = async function (...descriptor) {
    const device = await requestDevice.apply(this, descriptor);
    devices.push(device);
    return device;
  };
  new BroadcastChannel("lose devices").onmessage = () => {
    for (const device of devices) device.destroy();
  };
}

function expect(holds, what) {
  if (!holds) throw new Error(`expected ${what}`);
}
