/** Colours of a page and its plots, by the name of their variable, for light and for dark screens. Paper is light. */
export const themes = {
  light: {
    ...{ page: "#ffffff", panel: "#f5f7f9", text: "#1f2328", faint: "#57606a", line: "#d5dbe1" },
    // After Okabe and Ito, whose colours the colour-blind tell apart; darker, so that a line of each stands out from white.
    ...numbered("series", ["#767b82", "#0072b2", "#c95800", "#00815c", "#b0568a", "#3385b5", "#9a6a00", "#1f2328"], 0),
    // After ColorBrewer's RdBu: far from the mean is dark.
    ...numbered("less", ["#d1e5f0", "#92c5de", "#4393c3", "#2166ac", "#053061"]),
    level: "#f4f4f4",
    ...numbered("more", ["#fddbc7", "#f7b799", "#e58368", "#ca4741", "#a11a2d", "#5c0a1d"]),
  },
  dark: {
    ...{ page: "#14171a", panel: "#1e2226", text: "#e6e8eb", faint: "#a0a9b2", line: "#363c43" },
    ...numbered("series", ["#9aa4ae", "#58b0ee", "#ff8b3d", "#35c795", "#e59bc6", "#9bd8ff", "#f0b429", "#e6e8eb"], 0),
    // Far from the mean is bright.
    ...numbered("less", ["#1c3950", "#1f5580", "#2f79b5", "#5aa5dc", "#a8d4f5"]),
    level: "#24282d",
    ...numbered("more", ["#4a2a21", "#7c3626", "#b3472e", "#e2643a", "#ff9a5c", "#ffd9a0"]),
  },
};

function numbered(name: string, colours: readonly string[], first = 1): Record<string, string> {
  return Object.fromEntries(colours.map((colour, i) => [`${name}-${first + i}`, colour]));
}

function variables(theme: Record<string, string>): string {
  return Object.entries(theme)
    .map(([name, colour]) => `--${name}: ${colour};`)
    .join(" ");
}

/** What is wider than the screen scrolls in its own box; a plot first shrinks to 44rem, at which its text can still be read. */
export const STYLE = `
:root { color-scheme: light dark; ${variables(themes.light)} }
@media screen and (prefers-color-scheme: dark) { :root { ${variables(themes.dark)} } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); max-width: 1060px; margin: 2em auto; padding: 0 20px; }
h1 { font-size: 1.5em; line-height: 1.25; overflow-wrap: anywhere; } h2 { font-size: 1.2em; margin: 2.2em 0 0.6em; }
p, figcaption { max-width: 50rem; overflow-wrap: anywhere; }
.headline { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 10px; margin: 1.2em 0; }
.headline div { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: 0.6em 0.8em; break-inside: avoid; }
.headline dd { margin: 0; font-size: 1.7em; font-weight: 600; line-height: 1.3; font-variant-numeric: tabular-nums; }
.headline dt, .headline dd + dd { font-size: 0.85em; font-weight: 400; line-height: 1.4; color: var(--faint); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.85em; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 0.15em 0 0.15em 1.2em; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--faint); font-weight: 600; } .total td { font-weight: 600; border-bottom: none; }
th:first-child, td:first-child { text-align: left; padding-left: 0; } td + td { white-space: nowrap; }
figure { margin: 1em 0 1.6em; break-inside: avoid; } figcaption { font-size: 0.85em; color: var(--faint); }
svg { display: block; max-width: max(100%, 44rem); height: auto; }
footer { margin-top: 3em; padding-top: 0.8em; border-top: 1px solid var(--line); font-size: 0.85em; color: var(--faint); }
footer code { color: var(--text); overflow-wrap: anywhere; }
thead { display: table-header-group; } tr { break-inside: avoid; }
@media (max-width: 480px) { body { margin: 1em auto; padding: 0 12px; } .headline { grid-template-columns: 1fr 1fr; } .headline dd { font-size: 1.4em; } }
@media print {
  body { margin: 0; max-width: none; padding: 0; font-size: 10pt; } h2 { break-after: avoid; } svg { max-width: 100%; }
  .scroll { overflow: visible; } td + td { white-space: normal; } * { print-color-adjust: exact; }
}
`;
