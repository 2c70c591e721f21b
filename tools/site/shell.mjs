// What holds of every page: checks by the name of the page's file.

/** In a browser that has WebGPU. */
export function shellChecks(file) {
  return [
    {
      name: "loads, and every part of it has a name that is read out",
      async run(visitor) {
        await visitor.goto(file);
        await visitor.axe();
        await visitor.shot("light");
      },
    },
    {
      name: "dark",
      async run(visitor) {
        await visitor.goto(file);
        await visitor.dark(true);
        try {
          await visitor.axe();
          await visitor.shot("dark");
        } finally {
          await visitor.dark(false);
        }
      },
    },
    {
      name: "on 360 pixels nothing but boxes scrolls sideways",
      async run(visitor) {
        await visitor.goto(file);
        await visitor.narrow();
        try {
          const [content, screen] = await visitor.page.evaluate(() => {
            const { scrollWidth, clientWidth } = document.documentElement;
            return [scrollWidth, clientWidth];
          });
          if (content > screen) throw new Error(`the page is ${content} pixels wide on a screen of ${screen}`);
          await visitor.axe();
          await visitor.shot("narrow");
        } finally {
          await visitor.wide();
        }
      },
    },
    { name: "the keyboard reaches everything, and shows where it is", run: (visitor) => tabThrough(visitor, file) },
    { name: "asks the network for nothing once the site is there", run: (visitor) => asksForNothing(visitor, file) },
  ];
}

/** In a browser without WebGPU. */
export function bareChecks(file) {
  return [
    {
      name: "says that there is no WebGPU, and what helps",
      async run(visitor) {
        await visitor.goto(file);
        const text = await visitor.waitFor("No WebGPU adapter");
        if (!text.includes("chrome://flags") || !text.includes("localhost")) throw new Error(`no remedy in:\n${text}`);
        await visitor.axe();
        await visitor.shot("no_webgpu");
      },
    },
  ];
}

/** After the first load of one page the server is gone: each is reloaded, and reached by the links. */
export async function worksOffline(visitor, files) {
  const { page, server } = visitor;
  await visitor.goto(files[0]);
  await page.waitForFunction(() => navigator.serviceWorker.controller?.state === "activated");
  await server.stop();
  try {
    for (const file of files) {
      await visitor.goto(file);
      await page.reload();
      await page.waitForSelector("main h1");
    }
    for (const file of files) {
      await Promise.all([page.waitForNavigation(), page.click(`nav a[href="${file}"]`)]);
      await page.waitForSelector(`nav a[href="${file}"][aria-current=page]`);
    }
    await page.goto(visitor.url); // the folder itself
    await page.waitForSelector("main h1");
  } finally {
    await server.start();
  }
}

/** A request to another origin would be refused. */
export async function sendsNothingElsewhere(visitor, files) {
  for (const file of files) {
    await visitor.goto(file);
    const refusedBy = await visitor.page.evaluate(() => {
      const refused = new Promise((resolve) =>
        addEventListener("securitypolicyviolation", ({ effectiveDirective }) => resolve(effectiveDirective)),
      );
      fetch("https://example.org/").catch(() => {});
      return Promise.race([refused, new Promise((resolve) => setTimeout(resolve, 5000, "nothing"))]);
    });
    if (refusedBy !== "connect-src") throw new Error(`${file}: a request elsewhere is refused by ${refusedBy}`);
    if (visitor.browser === "firefox") await visitor.expectError(/example\.org/); // Chromium tells only the page
  }
}

/** But for whether there is a new version, which browsers do as they load. */
async function asksForNothing(visitor, file) {
  const { requests } = visitor.server;
  const before = requests.length;
  await visitor.goto(file);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const asked = requests.slice(before).filter((path) => path !== "/service_worker.js");
  if (asked.length > 0) throw new Error(`the page asked the server for ${asked.join(", ")}`);
}

/** The site changes while a page is open: that page stays with the version that it is of, and what is opened after it has the new one. */
export async function takesNewVersion(visitor) {
  const controlled = () => navigator.serviceWorker.controller?.state === "activated";
  await visitor.goto("index.html");
  await visitor.page.waitForFunction(controlled);
  visitor.server.change("benchmark.html", (html) => html.replace("<title>", "<title>New: "));
  visitor.server.change("service_worker.js", (script) => script.replace(/"[0-9a-f]{16}"/, '"another version"'));
  await visitor.page.evaluate(async () => (await navigator.serviceWorker.ready).update());
  await visitor.page.waitForFunction(async () => (await navigator.serviceWorker.ready).waiting !== null);
  await visitor.goto("benchmark.html");
  if ((await visitor.page.title()).startsWith("New"))
    throw new Error("a page of the new version beside those of the old");

  await visitor.renew();
  for (let tries = 0; tries < 20; tries++) {
    await visitor.goto("benchmark.html"); // the first may come before the browser has noticed that the old page is closed
    if ((await visitor.page.title()).startsWith("New")) break;
  }
  if (!(await visitor.page.title()).startsWith("New"))
    throw new Error("what is opened later is still of the old version");
  await visitor.page.waitForFunction(controlled);
  const caches = await visitor.page.evaluate(() => globalThis.caches.keys());
  if (caches.length !== 1) throw new Error(`expected one version to be kept, got ${caches.join(", ")}`);
}

/** Presses Tab until all that can be operated has had the focus. */
async function tabThrough(visitor, file) {
  await visitor.goto(file);
  const { page } = visitor;
  const names = await page.evaluate(() => {
    const operated = "a[href], button, input, select, textarea, summary, [tabindex='0']";
    const usable = [...document.querySelectorAll(operated)].filter(
      (element) => !element.disabled && element.checkVisibility() && !isInGroup(element),
    );
    // Of radio buttons one is a stop, from which the arrows lead to the others.
    function isInGroup({ type, name, checked }) {
      return type === "radio" && !checked && document.querySelector(`input[name="${name}"]:checked`) !== null;
    }
    globalThis.unreached = new Set(usable);
    globalThis.unseen = [];
    document.addEventListener("focusin", ({ target }) => {
      globalThis.unreached.delete(target);
      const { outlineStyle, outlineWidth } = getComputedStyle(target);
      if (outlineStyle === "none" || outlineWidth === "0px") globalThis.unseen.push(target.outerHTML.slice(0, 200));
    });
    return usable.length;
  });
  // More than were counted: a page may still be adding some.
  for (let pressed = 0; pressed < 2 * names + 40; pressed++) {
    await page.keyboard.press("Tab");
    if ((await page.evaluate("unreached.size")) === 0) break;
  }
  const [unreached, unseen] = await page.evaluate(() => [
    [...globalThis.unreached].map((element) => element.outerHTML.slice(0, 200)),
    globalThis.unseen,
  ]);
  if (names < 4) throw new Error(`only ${names} elements can be operated`);
  if (unreached.length > 0) throw new Error(`Tab does not reach ${unreached.join("\n")}`);
  if (unseen.length > 0) throw new Error(`no outline shows the focus of ${unseen.join("\n")}`);
}
