// @ts-check
/**
 * The copy of this view that the browser keeps, to open it without the service.
 */

const SCRIPT = new URL("../../sw.js", import.meta.url);

/** @type {Promise<boolean>} */
let copying = Promise.resolve(false);

/** Make or renew the copy. @returns {Promise<boolean>} whether there is a whole one */
export function keepCopy() {
  copying = copied();
  return copying;
}

async function copied() {
  if (!navigator.serviceWorker) return false; // not over plain HTTP from another machine
  try {
    const registration = await navigator.serviceWorker.register(SCRIPT);
    await registration.update().catch(() => undefined); // there is no connection
    await settled(registration.installing ?? registration.waiting);
    for (;;) {
      const { active } = await navigator.serviceWorker.ready;
      if (!active) return false;
      const whole = await Promise.race([asked(active, "keep"), replaced(active)]);
      if (whole !== undefined) return whole;
    }
  } catch {
    return false; // a certificate that the browser does not know, for instance
  }
}

/** Until a new worker has taken over, which knows the files of the new page. @param {ServiceWorker | null} coming */
async function settled(coming) {
  while (coming && !["activated", "redundant"].includes(coming.state)) {
    await new Promise((done) => coming.addEventListener("statechange", done, { once: true }));
  }
}

/** Until another worker has taken over from one, which may then never answer. @param {ServiceWorker} worker */
async function replaced(worker) {
  while (worker.state !== "redundant") {
    await new Promise((done) => worker.addEventListener("statechange", done, { once: true }));
  }
  return undefined;
}

/** Remove it, once what is under way is over. */
export async function dropCopy() {
  await copying;
  const registration = await navigator.serviceWorker?.getRegistration();
  if (registration?.active) await asked(registration.active, "drop");
  await registration?.unregister();
}

/** What the worker answers. @param {ServiceWorker} worker @param {"keep" | "drop"} word @returns {Promise<boolean>} */
function asked(worker, word) {
  const { port1, port2 } = new MessageChannel();
  return new Promise((done) => {
    port1.onmessage = ({ data }) => done(data);
    worker.postMessage(word, [port2]);
  });
}
