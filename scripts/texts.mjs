/** Files that are imported as their text: shaders, and the parts of what `evenkeel export` writes. */
export const texts = Object.fromEntries([".wgsl", ".c", ".cu", ".h", ".py", ".mk"].map((ending) => [ending, "text"]));
