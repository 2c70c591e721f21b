/** The shell of a report: one file without scripts or links, for wide and narrow screens, light and dark, and for paper. */
import type { Made } from "./made.ts";
import { STYLE } from "./page_style.ts";

/** Text as it stands, whatever it contains. */
export function escapeHtml(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replaceAll(/[&<>"']/g, (character) => entities[character]);
}

export function htmlParagraph(text: string): string {
  return `<p>${escapeHtml(text)}</p>`;
}

/** A number that says it all, what it is, and what to know of it. */
export interface Headline {
  name: string;
  value: string;
  note: string;
}

export function headlines(all: readonly Headline[]): string {
  const one = ({ name, value, note }: Headline) =>
    `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd><dd>${escapeHtml(note)}</dd></div>`;
  return `<dl class="headline">${all.map(one).join("\n")}</dl>`;
}

/** `svg` is a chart of charts.ts or heat_map.ts; the caption is text. */
export function figure(svg: string, caption: string): string {
  return `<figure><div class="scroll">${svg}</div><figcaption>${escapeHtml(caption)}</figcaption></figure>`;
}

/** Cells are text; the first column is to the left, figures to the right. The last row may be the total of the others. */
export function htmlTable([head, ...rows]: readonly (readonly string[])[], last?: "total"): string {
  const line = (tag: string, cells: readonly string[], row = "<tr>") =>
    `${row}${cells.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join("")}</tr>`;
  const body = rows.map((row, i) => line("td", row, last && i === rows.length - 1 ? `<tr class="total">` : undefined));
  const table = `<table><thead>${line("th", head)}</thead>\n<tbody>${body.join("\n")}</tbody></table>`;
  return `<div class="scroll">${table}</div>`;
}

/** How to make the page again. */
export function foot({ command, version, date }: Made): string {
  const [what, when] = [escapeHtml(command), escapeHtml(date)];
  return `<footer>Made by <code>${what}</code>, version ${escapeHtml(version)}, on <time datetime="${when}">${when}</time>.</footer>`;
}

/** `body` is HTML, made of the functions above. */
export function htmlPage(title: string, body: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
${body.join("\n")}
</body>
</html>
`;
}
