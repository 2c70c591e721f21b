import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

const types = { html: "text/html", js: "text/javascript", css: "text/css", txt: "text/plain" };

/**
 * Serves the files of a folder, at localhost, which is a secure context, as WebGPU wants.
 *
 * @returns url; requests, the paths that were asked for; change(), below; stop(), after which nothing answers; start(), at the same address again.
 */
export async function serve(folder) {
  const requests = [];
  const changed = new Map();
  const server = createServer(({ url }, response) => {
    const path = url.split("?")[0];
    requests.push(path);
    const file = join(folder, path === "/" ? "index.html" : path.slice(1));
    const known = /^\/[\w.]*$/.test(path) && existsSync(file);
    response.writeHead(known ? 200 : 404, { "content-type": types[file.split(".").pop()] ?? "text/plain" });
    response.end(changed.get(path) ?? (known ? readFileSync(file) : ""));
  });
  const start = (port) => new Promise((resolve) => server.listen(port, "localhost", resolve));
  await start(0);
  const { port } = server.address();
  return {
    url: `http://localhost:${port}/`,
    requests,
    /** From now on a file is what `edit` makes of its text. */
    change: (file, edit) => changed.set(`/${file}`, edit(readFileSync(join(folder, file), "utf8"))),
    start: () => start(port),
    stop: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
