import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

const types = { html: "text/html", js: "text/javascript", css: "text/css", txt: "text/plain" };

/**
 * Serves the files of a folder, at localhost, which is a secure context, as WebGPU wants.
 *
 * @returns url; requests, the paths that were asked for; stop(), after which nothing answers; start(), which is at the same address again.
 */
export async function serve(folder) {
  const requests = [];
  const server = createServer(({ url }, response) => {
    const path = url.split("?")[0];
    requests.push(path);
    const file = join(folder, path === "/" ? "index.html" : path.slice(1));
    const known = /^\/[\w.]*$/.test(path) && existsSync(file);
    response.writeHead(known ? 200 : 404, { "content-type": types[file.split(".").pop()] ?? "text/plain" });
    response.end(known ? readFileSync(file) : "");
  });
  const start = (port) => new Promise((resolve) => server.listen(port, "localhost", resolve));
  await start(0);
  const { port } = server.address();
  return {
    url: `http://localhost:${port}/`,
    requests,
    start: () => start(port),
    stop: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
