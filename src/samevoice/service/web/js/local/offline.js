// @ts-check
/**
 * The copy of this view that the browser keeps, to open it without the service.
 */

const SCRIPT = new URL("../../sw.js", import.meta.url);
const STEM = "samevoice-"; // of its caches, as `sw.js` names them

/** Make or renew the copy. @returns {Promise<boolean>} whether there is a whole one */
export async function keepCopy() {
  if (!navigator.serviceWorker) return false; // not over plain HTTP from another machine
  try {
    const registration = await navigator.serviceWorker.register(SCRIPT);
    await registration.update().catch(() => undefined); // there is no connection
    await settled(registration.installing ?? registration.waiting);
    const { active } = await navigator.serviceWorker.ready;
    const { port1, port2 } = new MessageChannel();
    return await new Promise((done) => {
      port1.onmessage = ({ data }) => done(data);
      active?.postMessage("keep", [port2]);
    });
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

/** Remove it. */
export async function dropCopy() {
  if (!navigator.serviceWorker) return;
  await (await navigator.serviceWorker.getRegistration())?.unregister();
  for (const name of await caches.keys()) if (name.startsWith(STEM)) await caches.delete(name);
}
