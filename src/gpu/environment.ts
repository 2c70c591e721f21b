/** A variable of the environment; undefined where it is not set, and where reading it is not permitted, as in Deno. */
export function environment(name: string): string | undefined {
  try {
    return process.env[name];
  } catch {
    return undefined;
  }
}
