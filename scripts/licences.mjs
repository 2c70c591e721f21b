import { readdirSync, readFileSync } from "node:fs";

/** Bundled packages ask that their licence travels with them, and their notice where they have one: those of what esbuild has bundled. */
export function licencesOf(bundles) {
  const inputs = bundles.flatMap(({ metafile }) => Object.keys(metafile.inputs));
  const packages = new Set(inputs.map((path) => path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1]).filter(Boolean));
  const licences = [...packages].sort().map((name) => {
    const files = readdirSync(`node_modules/${name}`).filter((entry) => /^(licen[cs]e|notice)(\.|$)/i.test(entry));
    const parts = files.map((file) => readFileSync(`node_modules/${name}/${file}`, "utf8").trim());
    return `${name}\n\n${parts.join("\n\n")}\n`;
  });
  return licences.join(`\n${"-".repeat(80)}\n\n`);
}
