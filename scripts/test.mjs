// `npm test [-- VITEST ARGUMENTS]`: types, build, tests, and the CPU time that they took.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

const steps = [
  ["npm", "run", "--silent", "typecheck"],
  ["npm", "run", "--silent", "build"],
  ["npx", "vitest", "run", ...process.argv.slice(2)],
];
let code = 0;
for (const [command, ...args] of steps) {
  code = spawnSync(command, args, { stdio: "inherit" }).status ?? 1;
  if (code !== 0) break;
}
const seconds = childSeconds();
if (seconds !== undefined) console.log(`CPU time, user + system: ${(seconds / 60).toFixed(1)} min`);
process.exitCode = code;

/** Of all children and theirs, where the system tells: fields 16 and 17 of /proc/self/stat, in ticks of 1/100 s. */
function childSeconds() {
  try {
    const [, fields] = /\) (.*)/.exec(readFileSync("/proc/self/stat", "utf8"));
    const [user, system] = fields.split(" ").slice(13, 15).map(Number);
    return (user + system) / 100;
  } catch {
    return undefined;
  }
}
