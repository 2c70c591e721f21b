/** Reports, taken apart. */

/** [figures]: name, value and note. */
export function headlinesOf(html: string): string[][] {
  return [...html.matchAll(/<dt>(.*?)<\/dt><dd>(.*?)<\/dd><dd>(.*?)<\/dd>/g)].map(([, ...texts]) => texts);
}

/** Each table's rows, head and all, as texts. */
export function tablesOf(html: string): string[][][] {
  return [...html.matchAll(/<table>(.*?)<\/table>/gs)].map(([, table]) =>
    [...table.matchAll(/<tr[^>]*>(.*?)<\/tr>/gs)].map(([, row]) =>
      [...row.matchAll(/<t[hd]>(.*?)<\/t[hd]>/gs)].map(([, cell]) => cell),
    ),
  );
}

export function captionsOf(html: string): string[] {
  return [...html.matchAll(/<figcaption>(.*?)<\/figcaption>/gs)].map(([, caption]) => caption);
}

/** Expressions for `evaluateInChromium`. */
export const inPage = {
  /** [overlaps]: texts of one plot that lie on each other. */
  overlaps: `[...document.querySelectorAll("svg")].flatMap((svg) => {
    const texts = [...svg.querySelectorAll("text")].map((text) => ({ text: text.textContent, box: text.getBoundingClientRect() }));
    return texts.flatMap((a, i) => texts.slice(i + 1)
      .filter(({ box }) => a.box.left < box.right && box.left < a.box.right && a.box.top < box.bottom - 2 && box.top < a.box.bottom - 2)
      .map((b) => a.text + " / " + b.text));
  })`,
  /** How wide the page is, whatever scrolls in a box of its own. */
  width: `document.documentElement.scrollWidth`,
  /** Colours as shown, of a few places. */
  colours: `({
    page: getComputedStyle(document.body).backgroundColor,
    text: getComputedStyle(document.body).color,
    labels: [...new Set([...document.querySelectorAll("svg text")].map((text) => getComputedStyle(text).fill))],
  })`,
};

/** rgb(..) of #rrggbb, as browsers say it. */
export function rgb(hex: string): string {
  return `rgb(${channels(hex).join(", ")})`;
}

/** As WCAG 2 defines it: 1 to 21. */
export function contrast(a: string, b: string): number {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(hex: string): number {
  const [r, g, b] = channels(hex).map((channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function channels(hex: string): number[] {
  return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
}
