/**
 * Keeps all files of the site, so that every page works offline after the first load of any.
 *
 * A version is what the files contain. A new one is fetched as a whole beside the old, which serves the pages that are open until the
 * last of them is closed: a page never gets chunks of another version.
 */

/** Put in by scripts/site.mjs: paths below this folder, and a digest of their contents. */
declare const FILES: readonly string[];
declare const VERSION: string;

/** What is used here of the types that TypeScript has for workers only. */
interface ExtendableEvent extends Event {
  waitUntil(done: Promise<unknown>): void;
}
interface FetchEvent extends ExtendableEvent {
  request: Request;
  respondWith(response: Promise<Response>): void;
}
interface ServiceWorkerScope {
  registration: ServiceWorkerRegistration;
  clients: { claim(): Promise<void> };
  addEventListener(type: "install" | "activate", listener: (event: ExtendableEvent) => void): void;
  addEventListener(type: "fetch", listener: (event: FetchEvent) => void): void;
}

const worker = self as unknown as ServiceWorkerScope;
const prefix = `evenkeel ${worker.registration.scope} `; // a host may have other sites, or this one twice
const current = prefix + VERSION;
const urlOf = (file: string) => new URL(file, worker.registration.scope).href;

worker.addEventListener("install", (event) => event.waitUntil(fetchAll()));
worker.addEventListener("activate", (event) => event.waitUntil(forgetOthers().then(() => worker.clients.claim())));
worker.addEventListener("fetch", (event) => {
  if (event.request.method === "GET") event.respondWith(answer(event.request));
});

async function fetchAll(): Promise<void> {
  const cache = await caches.open(current);
  await Promise.all(
    FILES.map(async (file) => {
      const response = await fetch(urlOf(file), { cache: "no-cache" });
      if (!response.ok) throw new Error(`${file}: ${response.status}`);
      // A copy: some hosts redirect page.html to page, and a response that was redirected cannot be a page.
      await cache.put(urlOf(file), new Response(await response.blob(), { headers: response.headers }));
    }),
  );
}

async function forgetOthers(): Promise<void> {
  const old = (await caches.keys()).filter((name) => name.startsWith(prefix) && name !== current);
  await Promise.all(old.map((name) => caches.delete(name)));
}

async function answer(request: Request): Promise<Response> {
  const cache = await caches.open(current);
  const [page] = request.url.split(/[?#]/);
  for (const url of [page, `${page}index.html`, `${page}.html`]) {
    const kept = await cache.match(url);
    if (kept) return kept;
  }
  return fetch(request);
}
