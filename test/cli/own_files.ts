import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** A folder that is there until the tests of the file are over, and how to fill it. */
export function ownFiles() {
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-files-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  let written = 0;
  /** A path of its own, where nothing is yet. */
  const path = (ending = "") => join(folder, `${written++}${ending}`);
  return {
    path,
    /** Writes a file of its own and returns its path. */
    file(content: unknown, ending = ""): string {
      const to = path(ending);
      writeFileSync(to, typeof content === "string" || Buffer.isBuffer(content) ? content : JSON.stringify(content));
      return to;
    },
  };
}

/** The smallest ZIP member header that there is. */
export const archive = (member: string) =>
  Buffer.from(`PK\x03\x04${"\0".repeat(22)}${String.fromCharCode(member.length)}\0\0\0${member}`, "latin1");
