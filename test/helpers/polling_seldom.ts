import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";

const source = fileURLToPath(new URL("../../src/gpu/dawn_polling.ts", import.meta.url));
const { code } = transformSync(readFileSync(source, "utf8"), { loader: "ts" });

/** Arguments of Node for a program that runs on SwiftShader in a process of its own, which then sleeps while that works. */
export const pollingSeldom = ["--import", `data:text/javascript,${encodeURIComponent(`${code}pollDawnSeldom();`)}`];
