import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

export const cli = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

export interface Run {
  code: number;
  stdout: string;
  stderr: string;
}

/** For commands whose backend does not matter: they start sooner without the software adapter. */
export const withoutSoftware = { EVENKEEL_ADAPTER: "auto" };

/** For what is said of software adapters. */
export const onSoftware = { EVENKEEL_ADAPTER: "software" };

/** Runs the built command line as a user would, in a process of its own and in folder `cwd`; `input` goes to its standard input. */
export function evenkeel(
  args: string[],
  env: NodeJS.ProcessEnv = {},
  input?: string | Buffer,
  cwd?: string,
): Promise<Run> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env }, maxBuffer: 2 ** 26, cwd };
    const child = execFile(process.execPath, [cli, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? Number.NaN) : 0, stdout, stderr });
    });
    child.stdin!.on("error", () => {}); // it may end without reading
    child.stdin!.end(input);
  });
}
