import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

interface FigureProps {
  /** A chart of charts.ts or heat_map.ts: SVG text. */
  svg: string;
  /** What the picture is, for whom cannot see it. */
  name: string;
  caption: string;
}

export function Figure({ svg, name, caption }: FigureProps) {
  return (
    <figure>
      <Scroll name={name}>
        <div role="img" aria-label={name} dangerouslySetInnerHTML={{ __html: svg }} />
      </Scroll>
      <figcaption>{caption}</figcaption>
    </figure>
  );
}

interface TableProps {
  /** The first row is the header; the first column is to the left, figures to the right. */
  rows: readonly (readonly string[])[];
  caption: string;
  /** The last row may be the total of the others. */
  last?: "total";
}

export function Table({ rows: [head, ...rows], caption, last }: TableProps) {
  return (
    <Scroll name={caption}>
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {head.map((cell, i) => (
              <th key={i} scope="col">
                {cell}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={i} class={last && i === rows.length - 1 ? "total" : undefined}>
              {row.map((cell, j) => (
                <td key={j}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

/** What is wider than the screen scrolls in its own box, and then the keyboard reaches it. */
export function Scroll({ name, children }: { name: string; children: ComponentChildren }) {
  const box = useRef<HTMLDivElement>(null);
  const [scrolls, setScrolls] = useState(false);
  const look = () => setScrolls(box.current !== null && overflows(box.current));
  useLayoutEffect(look); // text that overflows its element resizes nothing
  useEffect(() => {
    const { current } = box;
    if (!current) return;
    const observer = new ResizeObserver(look);
    for (const element of [current, ...current.children]) observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const reached = scrolls ? { tabIndex: 0, role: "region" as const, "aria-label": name } : {};
  return (
    <div class="scroll" ref={box} {...reached}>
      {children}
    </div>
  );
}

const overflows = ({ scrollWidth, clientWidth, scrollHeight, clientHeight }: HTMLElement): boolean =>
  scrollWidth > clientWidth || scrollHeight > clientHeight;
