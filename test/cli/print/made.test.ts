import { afterEach, expect, test, vi } from "vitest";
import { foot } from "../../../src/cli/print/html_page.ts";
import { madeNow } from "../../../src/cli/print/made.ts";

const { argv } = process;
afterEach(() => {
  process.argv = argv;
  vi.useRealTimers();
});

test("a report says what was typed, without the paths of this machine, and when", () => {
  process.argv = [
    "/usr/bin/node",
    "/opt/evenkeel/dist/cli.js",
    "analyze",
    "my loads.json",
    "--gpus",
    "8",
    "--dead=3,7",
    "it's",
  ];
  vi.useFakeTimers({ now: new Date("2026-02-03T04:05:06.789+02:00") });
  expect(madeNow()).toMatchObject({
    command: "evenkeel analyze 'my loads.json' --gpus 8 --dead=3,7 'it'\\''s'",
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    date: "2026-02-03T02:05:06Z",
  });
});

test("what was typed is text", () => {
  const html = foot({ command: "evenkeel '<script>&'", version: "1.2.3", date: "2026-01-01T00:00:00Z" });
  expect(html).toContain("<code>evenkeel &#39;&lt;script&gt;&amp;&#39;</code>, version 1.2.3, on");
  expect(html).toContain(`<time datetime="2026-01-01T00:00:00Z">2026-01-01T00:00:00Z</time>`);
});
