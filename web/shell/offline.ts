/** All files of the site stay in the browser: see service_worker.ts. Without it, as in some private windows, the page needs the network. */
export function keepForOffline(): void {
  navigator.serviceWorker
    ?.register("service_worker.js")
    .catch((error: Error) => console.info(`This page will not work offline: ${error.message}`));
}
