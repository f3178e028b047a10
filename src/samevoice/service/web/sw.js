// @ts-check
/// <reference lib="webworker" />
/**
 * Opens the view "On this device" where the service does not answer, from the copy that `js/local/offline.js` keeps.
 *
 * The service is asked first, always. Requests of the API pass untouched, and so do those that renew the copy. A newer
 * worker waits until no page uses this one: taking over at once can leave a page's requests without an answer.
 */

const API = new URL("v1/", self.registration.scope).href;

self.addEventListener("fetch", (event) => {
  const { method, url, headers } = event.request;
  if (method !== "GET" || url.startsWith(API) || headers.has("x-renew")) return;
  event.respondWith(answered(event.request));
});

/** The service's answer; where there is none, that of the copy. @param {Request} request */
async function answered(request) {
  const answer = await fetch(request).catch(() => null);
  if (answer && answer.status < 500) return answer;
  return (await caches.match(request, { ignoreVary: true })) ?? answer ?? Response.error();
}
