// What if, used as an operator would; its answers are Node's.
import { rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { agree, inNode, mooncakeLines, same, vllmResult } from "../what_if_in_node.mjs";

export const page = "what_if.html";

const site = fileURLToPath(new URL("../../../site/", import.meta.url));
/** Little to do. */
const SMALL = "v=1&generated=200&workers=1,2,3";
/** Minutes on a core, if nobody stops it. */
const LARGE = "v=1&generated=20000&workers=1-64&route=round-robin,least-kv,bfio";

async function openTrace(content) {
  const opened = await inNode.openFile("file", new Uint8Array(Buffer.from(content)));
  return opened.trace;
}

export const checks = [
  {
    name: "answers at first sight what Node does, in figures and tables that can be sorted",
    async run(visitor) {
      await visitor.goto(page, { hash: SMALL });
      await agree(visitor);
      await visitor.axe();
      const sort = await visitor.find("workers");
      await sort.focus();
      const order = () =>
        visitor.page.$$eval(".configurations tbody tr", (rows) => rows.map((r) => r.cells[1].textContent));
      await visitor.page.keyboard.press("Enter");
      same("ascending", (await order()).join(""), "111122223333");
      await visitor.page.keyboard.press("Enter");
      same("descending", (await order()).join(""), "333322221111");
      const sorted = await visitor.page.$eval("[aria-sort]", (head) => [head.ariaSort, head.textContent.trim()]);
      same("what is read out", sorted, ["descending", "workers ↓"]);
      await visitor.shot("answers");
    },
  },
  {
    name: "a trace is dropped, in gzip, too, and its first requests are asked for",
    async run(visitor) {
      const lines = mooncakeLines(300);
      await visitor.goto(page, { hash: `${SMALL}&rates=1x,2x` });
      await visitor.drop([["mooncake.jsonl.gz", gzipSync(lines)]]);
      await visitor.waitFor("mooncake.jsonl.gz: 300 requests");
      await visitor.fill("First requests", "250");
      await visitor.waitFor("24 scenarios of 250 requests");
      await visitor.waitFor(/evenkeel sweep mooncake\.jsonl\.gz .*--requests 250/);
      await visitor.click("Start");
      await visitor.waitFor(/24 scenarios of 250 requests in/);
      await agree(visitor, await openTrace(lines));
    },
  },
  {
    name: "a benchmark's result is a trace, and a point beside the front",
    async run(visitor) {
      const result = vllmResult(200);
      await visitor.goto(page, { hash: SMALL });
      await visitor.upload("vllm.json", result);
      await visitor.waitFor("vllm.json: 199 requests"); // one failed
      await visitor.fill("Workers of the measured run", "2");
      await visitor.click("Start");
      await visitor.waitFor("of 199 requests in");
      await agree(visitor, await openTrace(result));
      await visitor.waitFor("Measured, says the file: p99 TTFT 240 ms, p99 TPOT 29 ms, 477 tokens/s on 2 workers.");
      const legends = await visitor.page.$$eval(
        ".stage svg",
        (all) => all.filter((svg) => svg.textContent.includes("measured")).length,
      );
      same("plots with the measured point", legends, 2);
      await visitor.axe();
      await visitor.shot("measured");
    },
  },
  {
    name: "stops in the middle, and begins again",
    async run(visitor) {
      await visitor.goto(page, { hash: LARGE });
      await visitor.click("Start");
      await visitor.page.waitForFunction(() => document.querySelector("progress")?.value > 0);
      await visitor.click("Stop");
      await visitor.waitFor("Stopped while simulating.");
      await visitor.fill("Requests", "200");
      await visitor.fill("Numbers of workers", "2");
      await visitor.click("Start");
      await agree(visitor);
    },
  },
  {
    name: "says what is wrong with a file, a rate, a memory or a field, and what helps",
    async run(visitor) {
      await visitor.goto(page, { hash: SMALL });
      await visitor.drop([["empty.jsonl", ""]]);
      await visitor.waitFor(/empty\.jsonl.*expected/);
      await visitor.drop([["broken.jsonl", `${mooncakeLines(2)}{"timestamp": 90, "input_length": -1}\n`]]);
      await visitor.waitFor(/broken\.jsonl, line 3.*expected/);
      await visitor.drop([["cut.gz", gzipSync(mooncakeLines(50)).subarray(0, 100)]]);
      await visitor.waitFor(/cut\.gz.*expected an undamaged gzip file/);
      await visitor.drop([["lengths.csv", "input_tokens,output_tokens\n100,20\n70000,10\n300,30\n"]]);
      await visitor.waitFor("the trace's requests come at once");
      await visitor.waitFor("1 request of 3 needs more memory than a worker has, 60,000 KV tokens");
      await visitor.axe();
      await visitor.shot("problems");
      await visitor.click("Draw arrivals at 1, 2, 4 and 8 requests/s");
      await visitor.click("Reject and count them");
      await visitor.fill("Seeds", "2");
      await visitor.waitFor("96 scenarios of 3 requests");
      await visitor.fill("Slots", "many");
      await visitor.waitFor("Slots: expected a whole number from 1 to 1,048,576, got many.");
      await visitor.fill("Slots", "8");
      await visitor.click("Start");
      await visitor.waitFor("Rejected, being larger than a worker's memory: 1 request.");
      await visitor.goto(page, { hash: "v=1&wokers=3" });
      await visitor.waitFor("This link is broken: the link: expected fields among");
    },
  },
  {
    name: "WebGPU gives what the CPU gives; a device that is lost in the middle is told of, and the CPU goes on",
    async run(visitor) {
      await inLosingThread(visitor, async (lose) => {
        await visitor.goto(page, { hash: "v=1&generated=60&workers=1,2&backend=webgpu" });
        await visitor.waitFor(/requests in .* on WebGPU\./, { timeout: 60_000 });
        await agree(visitor);
        await visitor.fill("Requests", "3000");
        await visitor.click("Start");
        await visitor.page.waitForFunction(() => document.querySelector("progress")?.value > 0);
        await lose();
        await visitor.waitFor("The WebGPU device was lost");
        await visitor.fill("Requests", "60");
        await visitor.click("Start on the CPU");
        await visitor.waitFor(/requests in .* on the CPU\./);
        await agree(visitor);
      });
    },
  },
  {
    name: "without WebGPU the CPU answers, and who insists is told why not",
    webgpu: false,
    async run(visitor) {
      await visitor.goto(page, { hash: `${SMALL}&backend=webgpu` });
      await visitor.waitFor("start again, or let the CPU compute it");
      await visitor.axe();
      await visitor.shot("insists");
      await visitor.click("Start on the CPU");
      await visitor.waitFor(/requests in .* on the CPU\./);
      await agree(visitor);
    },
  },
];

/** A tab whose thread has its devices destroyed when `lose` is called: files beside the thread's, as a page may run no others. */
async function inLosingThread(visitor, use) {
  const files = ["what_if_devices.js", "what_if_losing.js"].map((name) => `${site}${name}`);
  writeFileSync(files[0], `(${losing})();`);
  writeFileSync(files[1], 'import "./what_if_devices.js"; import "./what_if_worker.js";');
  try {
    await visitor.page.evaluateOnNewDocument(() => {
      const { Worker } = globalThis;
      globalThis.Worker = class extends Worker {
        constructor(script, options) {
          super(script === "what_if_worker.js" ? "what_if_losing.js" : script, options);
        }
      };
    });
    await use(() => visitor.page.evaluate(() => new BroadcastChannel("devices").postMessage("lose")));
  } finally {
    for (const file of files) rmSync(file);
    await visitor.renew();
  }
}

/** Runs in the thread, before its own script. */
function losing() {
  const devices = [];
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (...descriptor) {
    const device = await requestDevice.apply(this, descriptor);
    devices.push(device);
    return device;
  };
  new BroadcastChannel("devices").onmessage = () => {
    for (const device of devices) device.destroy();
  };
}
