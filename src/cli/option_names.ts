import { ArgumentError } from "../common/errors.ts";
import { inWordsOfCli } from "./files/trace_file.ts";

/** Work of the library's, whose messages get the names that the reader knows: of the trace's file, and of options by what the library calls them. */
export async function withOptionNames<T>(
  file: string,
  options: Readonly<Record<string, string>>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ArgumentError) {
      const [argument] = /^[\w.]+/.exec(error.argument) ?? [""];
      const named = Object.hasOwn(options, argument) ? options[argument] : undefined;
      const { message } = error;
      error.message = named ? named + message.slice(argument.length) : inWordsOfCli(file, message);
    }
    throw error;
  }
}
