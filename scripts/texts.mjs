import { readFileSync } from "node:fs";

/** Files that are imported as their text: shaders, and the parts of what `evenkeel export` writes. */
export const texts = Object.fromEntries([".wgsl", ".c", ".cu", ".h", ".py", ".mk"].map((ending) => [ending, "text"]));

/** Comments of shaders are for readers of the sources. Lines stay where they are, so that a compiler's messages name the same ones. */
export const withoutComments = {
  name: "shaders without comments",
  setup({ onLoad }) {
    onLoad({ filter: /\.wgsl$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replaceAll(/[ \t]*\/\/.*$/gm, ""),
      loader: "text",
    }));
  },
};
