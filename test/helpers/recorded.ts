/** Recorded data beside the repository. Tests that use it say so in their names and are skipped, visibly, where it is absent. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

const folder = fileURLToPath(new URL("../../../shared/data/", import.meta.url));

export const recordedDataPresent = existsSync(folder);
/** For the names of tests. */
export const needsRecordedData = recordedDataPresent ? "(recorded data)" : "(SKIPPED: ../shared/data is absent)";

export const recordedPath = (path: string): string => folder + path;

export function recordedBytes(path: string): Buffer {
  const bytes = readFileSync(folder + path);
  return path.endsWith(".gz") ? gunzipSync(bytes) : bytes;
}

// biome-ignore lint/suspicious/noExplicitAny: recorded files have shapes of their own, described in SOURCES.md beside them
export function recordedJson(path: string): any {
  return JSON.parse(recordedBytes(path).toString());
}

const cases = fileURLToPath(new URL("../../../shared/cases/", import.meta.url));
/** Small files in the forms that systems write or read. */
export const casesPresent = existsSync(cases);
export const needsCases = casesPresent ? "(shared cases)" : "(SKIPPED: ../shared/cases is absent)";
export const casePath = (name: string): string => cases + name;
