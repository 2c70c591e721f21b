import "./style.css";
import { type ComponentChildren, render } from "preact";
import { version } from "../../package.json";
import { keepForOffline } from "./offline.ts";
import { WebgpuNotice } from "./webgpu_notice.tsx";

const links = [
  ["index.html", "Playground"],
  ["benchmark.html", "Benchmark"],
  ["what_if.html", "What if"],
] as const;

interface LayoutProps {
  /** Of the links in the header. */
  page: (typeof links)[number][1];
  /** The page's heading. */
  title: string;
  /** What the page does without WebGPU, as a sentence. */
  withoutWebgpu: string;
  children: ComponentChildren;
}

/** What all pages have: the links to each other, the heading, a word where WebGPU is missing, and what happens to the reader's data. */
export function Layout({ page, title, withoutWebgpu, children }: LayoutProps) {
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header>
        <span class="brand">evenkeel</span>
        <nav aria-label="Pages">
          {links.map(([href, name]) => (
            <a key={href} href={href} aria-current={name === page ? "page" : undefined}>
              {name}
            </a>
          ))}
        </nav>
      </header>
      <main id="main" tabIndex={-1}>
        <h1>{title}</h1>
        <WebgpuNotice without={withoutWebgpu} />
        {children}
      </main>
      <footer>
        evenkeel {version}. No data leaves this page: everything is computed in your browser, files that you open
        included, and the page works offline once loaded.{" "}
        <a href="THIRD_PARTY_LICENSES.txt">Licences of bundled packages</a>.
      </footer>
    </>
  );
}

/** Draws a page, and keeps all of the site for when there is no network. */
export function show(page: ComponentChildren): void {
  render(page, document.body);
  keepForOffline();
}
