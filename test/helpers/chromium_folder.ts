/** Set up once per run: where the browser is unpacked, which takes four seconds, by the first file that needs it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export default function setup(): (() => void) | undefined {
  if (process.env.EVENKEEL_TEST_BROWSER) return undefined; // of another project of the run
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-chromium-"));
  process.env.EVENKEEL_TEST_BROWSER = folder; // for the processes that run tests
  return () => rmSync(folder, { recursive: true, force: true });
}
