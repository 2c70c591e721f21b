// The playground, used as a person would; what it shows is compared with what the same functions say in Node.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  agree,
  choose,
  enter,
  hashOf,
  named,
  press,
  readingOf,
  same,
  settled,
  tokensOf,
} from "../playground_in_node.mjs";

export const page = "index.html";

const cases = fileURLToPath(new URL("../../../../shared/cases/", import.meta.url));
const SEARCH_MS = 60_000; // the search has ten seconds, on a machine that may be busy

export const checks = [
  {
    name: "shows four ways at first sight, as Node computes them",
    async run(visitor) {
      await visitor.goto(page);
      await agree(visitor, "v=1");
      await visitor.waitFor("proven: no split does better");
      const { lanes, bars } = await visitor.page.evaluate(() => ({
        lanes: document.querySelectorAll(".lane").length,
        bars: document.querySelectorAll("[role=slider]").length,
      }));
      same("lanes and bars", [lanes, bars], [8, 32]);
    },
  },
  {
    name: "a bar is dragged",
    async run(visitor) {
      await visitor.goto(page);
      await agree(visitor, "v=1");
      const bar = await named(visitor, "Expert 5", "[role=slider]");
      const before = await tokensOf(bar);
      const { x, y, width, height } = await bar.boundingBox();
      const { mouse } = visitor.page;
      await mouse.move(x + width / 2, y + height * 0.9);
      await mouse.down();
      for (const share of [0.7, 0.5, 0.25]) await mouse.move(x + width / 2, y + height * share);
      await mouse.up();
      await agree(visitor, "batch=");
      const after = await tokensOf(await named(visitor, "Expert 5", "[role=slider]"));
      if (!(after > before)) throw new Error(`expected more than ${before} tokens, got ${after}`);
      await visitor.shot("dragged", { fullPage: false });
      await press(visitor, "Undo what was drawn by hand");
      await agree(visitor, (hash) => !hash.includes("batch="));
      same("tokens of expert 5", await tokensOf(await named(visitor, "Expert 5", "[role=slider]")), before);
    },
  },
  {
    name: "bars are changed by the keyboard alone",
    async run(visitor) {
      await visitor.goto(page);
      await agree(visitor, "v=1");
      const bar = await named(visitor, "Expert 0", "[role=slider]");
      await bar.focus();
      const { keyboard } = visitor.page;
      const before = await tokensOf(bar);
      await keyboard.press("ArrowUp");
      const step = (await settled(bar, before)) - before;
      await keyboard.press("PageUp");
      same("a page", (await settled(bar, before + step)) - before - step, 10 * step);
      await keyboard.press("Home");
      same("Home", await settled(bar, before + 11 * step), 0);
      await keyboard.press("ArrowRight");
      const focused = () => visitor.page.evaluate(() => document.activeElement.getAttribute("aria-label"));
      same("focus", await focused(), "Expert 1");
      await keyboard.press("End");
      await agree(visitor, "batch=0,");
      const next = await named(visitor, "Expert 1", "[role=slider]");
      same("End", String(await tokensOf(next)), await next.evaluate((one) => one.getAttribute("aria-valuemax")));
    },
  },
  {
    name: "replica graphs of LPLB, other sizes and sources",
    async run(visitor) {
      await visitor.goto(page);
      await choose(visitor, "Placed by", "topology");
      for (const graph of ["ring4", "hypercube16", "torus4x4"]) {
        await choose(visitor, "Replica graph", graph);
        await agree(visitor, `topology=${graph}`);
      }
      await choose(visitor, "Placed by", "eplb");
      await enter(visitor, "GPUs", 5);
      await agree(visitor, "gpus=5");
      await choose(visitor, "Tokens per expert", "zipf");
      await enter(visitor, "Seed", 4);
      await agree(visitor, "seed=4");
      await enter(visitor, "us per token", 0.5);
      await agree(visitor, "perToken=0.5");
      await enter(visitor, "Seed", -1);
      await visitor.waitFor('Seed: expected a whole number from 0 to 4294967295, got "-1"');
      await visitor.axe();
    },
  },
  {
    name: "GPUs that are slow or dead",
    async run(visitor) {
      await visitor.goto(page);
      await agree(visitor, "v=1");
      await (await visitor.page.$("summary")).click();
      await enter(visitor, "Speed of GPU 2", 0.5);
      await agree(visitor, "speed=1,1,0.5,");
      const boxes = await visitor.page.$$(".gpus input[type=checkbox]");
      await boxes[4].click();
      await agree(visitor, "dead=4");
      await visitor.waitFor("4 (dead)");
      await visitor.waitFor("on no living GPU");
      await visitor.shot("dead");
    },
  },
  {
    name: "the planner searches, shows how far it is, and stops",
    async run(visitor) {
      await visitor.goto(page);
      await choose(visitor, "Placed by", "planner");
      await enter(visitor, "Experts", 128); // the search of fewer may be over before it is stopped
      await enter(visitor, "GPUs", 16);
      await agree(visitor, "gpus=16");
      // At once: a search may be over before a slow driver has found the button.
      const stopped = visitor.page.waitForFunction(
        () => {
          const stop = document.querySelector(".progress button");
          stop?.click();
          return stop !== null;
        },
        { polling: "mutation" },
      );
      await press(visitor, "Search for ten seconds");
      await stopped;
      await visitor.waitFor("Stopped: the placement stays as it was.");
      await press(visitor, "Search for ten seconds");
      await visitor.waitFor("changes tried", { timeout: SEARCH_MS });
      await agree(visitor, "map=");
      await visitor.waitFor("Found by the planner");
    },
  },
  {
    name: "files of other systems",
    async run(visitor) {
      if (!existsSync(cases)) {
        console.log("  SKIPPED: ../shared/cases is absent");
        return;
      }
      await visitor.goto(page);
      const read = (name) => [name, readFileSync(cases + name)];
      for (const name of ["trtllm_eplb.yaml", "vllm_ascend_expert_map.json", "vllm_bare_row.json"]) {
        await visitor.drop([read(name)]);
        await agree(visitor, `placementFile=${name}`);
      }
      for (const name of ["sglang_per_pass.json", "sglang_per_token.json", "topk_step_without_tokens.json"]) {
        await visitor.drop([read(name)]);
        await agree(visitor, `loadsFile=${name}`);
      }
      await visitor.upload("sglang_ring_unused_tail.json", readFileSync(`${cases}sglang_ring_unused_tail.json`));
      await agree(visitor, "loadsFile=sglang_ring");
      await visitor.shot("file");
    },
  },
  {
    name: "a file with layers and steps gives a choice of both, and its link shows the same without it",
    async run(visitor) {
      await visitor.goto(page);
      const loads = [3, 5].map((step) =>
        [7, 11].map((layer) => Array.from({ length: 16 }, (_, e) => step * layer + e * e)),
      );
      await visitor.drop([["own.json", JSON.stringify({ loads })]]);
      await agree(visitor, "loadsFile=own.json");
      await choose(visitor, "Layer", "1");
      await choose(visitor, "Step", "1");
      await agree(visitor, "layer%201,%20step%201");
      same("bar", await tokensOf(await named(visitor, "Expert 2", "[role=slider]")), loads[1][1][2]);
      const map = Array.from({ length: 24 }, (_, slot) => slot % 16);
      await visitor.drop([["map.json", JSON.stringify({ physical_to_logical_map: [map], gpus: 4 })]]);
      await agree(visitor, "place=file");
      const shown = await readingOf(visitor);
      const hash = await hashOf(visitor);
      await visitor.goto(page, { hash });
      await agree(visitor, "place=file");
      same("what the link shows", await readingOf(visitor), shown);
      await visitor.page.reload();
      await agree(visitor, "place=file");
      same("the link after that", await hashOf(visitor), hash);
    },
  },
  {
    name: "broken files and broken links get a sentence",
    async run(visitor) {
      await visitor.goto(page);
      await agree(visitor, "v=1");
      await visitor.drop([["half.json", '{"loads": [[1, 2']]);
      await visitor.waitFor('half.json: expected JSON, plain or in gzip, got "16 bytes"');
      await visitor.drop([["other.json", '{"model": "x"}']]);
      await visitor.waitFor("other.json: expected a placement, loads of experts, top-k ids or a problem");
      await visitor.drop([["short.json", '{"loads": [[1, 2], [3]]}']]);
      await visitor.waitFor("expected 2 experts as in the first row, got 1");
      await visitor.axe();
      await visitor.goto(page, { hash: "v=1&gpus=eight" });
      await visitor.waitFor('This link is broken: gpus: expected a whole number from 1 to 512, got "eight".');
      await agree(visitor, (hash) => hash === "v=1");
      await visitor.goto(page, { hash: "v=1&batch=1,2,3" });
      await visitor.waitFor("This link is broken: batch: expected experts = 32 values, got 3.");
      await visitor.shot("broken_link", { fullPage: false });
    },
  },
  {
    name: "who tampers with a solution is refused",
    async run(visitor) {
      await visitor.goto(page);
      await agree(visitor, "v=1");
      for (const claim of ["a token more", "a smaller maximum", "a larger bound", "another bottleneck"]) {
        await press(visitor, `claim ${claim}`);
        const text = await visitor.waitFor(`claiming ${claim}: refused`);
        if (!text.includes(": false")) throw new Error(`no claim is false in:\n${text}`);
        await visitor.axe();
        await press(visitor, `claim ${claim}`);
        await visitor.waitFor("Token-optimal split: optimal, proven");
      }
    },
  },
  {
    name: "WebGPU answers as the CPU does, and a device that is lost leaves the CPU",
    async run(visitor) {
      await visitor.goto(page);
      await press(visitor, "WebGPU", "input[type=radio]");
      await visitor.waitFor("Solved by WebGPU", { timeout: 60_000 });
      const text = await visitor.waitFor("The CPU answers the same");
      if (!text.includes("proven: no split does better")) throw new Error(`not proven:\n${text}`);
      const table = await agree(visitor, "backend=webgpu", { sameMaxima: true });
      const lost = await visitor.loseDevices();
      if (lost === 0) throw new Error("no device was lost");
      const bar = await named(visitor, "Expert 9", "[role=slider]");
      await bar.press("ArrowUp");
      await visitor.waitFor("The CPU answers instead.");
      await agree(visitor, "backend=cpu");
      await visitor.shot("device_lost", { fullPage: false });
      await press(visitor, "Undo what was drawn by hand");
      await press(visitor, "WebGPU", "input[type=radio]");
      await visitor.waitFor("Solved by WebGPU", { timeout: 60_000 });
      same("another device's answer", await agree(visitor, "backend=webgpu", { sameMaxima: true }), table);
    },
  },
  {
    name: "without WebGPU the CPU answers, and who asks for WebGPU is told why not",
    webgpu: false,
    async run(visitor) {
      await visitor.goto(page);
      await agree(visitor, "v=1");
      await press(visitor, "WebGPU", "input[type=radio]");
      const text = await visitor.waitFor("The CPU answers instead.");
      if (!text.includes("No WebGPU adapter")) throw new Error(`no reason in:\n${text}`);
      await agree(visitor, "backend=cpu");
    },
  },
];
