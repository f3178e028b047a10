// @ts-check
/// <reference lib="webworker" />
/**
 * Keeps what the view "On this device" needs, so that it opens without the service.
 *
 * The service is asked first, always: the copy answers only where it does not. The copy is renewed as a whole, named
 * after the ETags of its files. Requests for anything else, those of the API among them, pass untouched.
 */

const STEM = "samevoice-";
const FILES = [
  "./",
  "icon.svg",
  "texts.json",
  "css/base.css",
  "css/parts.css",
  "js/api.js",
  "js/app.js",
  "js/coach.js",
  "js/dom.js",
  "js/recorder.js",
  "js/stream.js",
  "js/wav.js",
  "js/words.js",
  "js/worklet.js",
  "js/components/bar.js",
  "js/components/recordbox.js",
  "js/components/result.js",
  "js/components/scale.js",
  "js/components/wave.js",
  "js/enrol/reading.js",
  "js/local/card.js",
  "js/local/checking.js",
  "js/local/comparing.js",
  "js/local/decide.js",
  "js/local/embed.js",
  "js/local/engine.js",
  "js/local/enrolling.js",
  "js/local/fbank.js",
  "js/local/kept.js",
  "js/local/offline.js",
  "js/local/resample.js",
  "js/local/store.js",
  "js/local/vad.js",
  "js/local/worker.js",
  "js/views/local.js",
  "models/small.onnx",
  "models/vad.onnx",
  "vendor/onnxruntime/ort-wasm-simd-threaded.mjs",
  "vendor/onnxruntime/ort-wasm-simd-threaded.wasm.gz",
  "vendor/onnxruntime/ort.wasm.min.mjs",
].map((file) => new URL(file, self.registration.scope).href);

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("message", (event) => {
  // One after the other, whichever page asked, and this worker or the one it replaces: each clears away others' copies.
  const work = self.navigator.locks.request(`${STEM}copy`, event.data === "drop" ? drop : keep);
  event.waitUntil(work.then((kept) => event.ports[0].postMessage(kept)));
});
self.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method === "GET" && FILES.includes(url.split("#")[0])) event.respondWith(answered(event.request));
});

/** The service's answer; where there is none, that of the copy. @param {Request} request */
async function answered(request) {
  const answer = await fetch(request).catch(() => null);
  if (answer && answer.status < 500) return answer;
  return (await caches.match(request, { ignoreVary: true })) ?? answer ?? Response.error();
}

/** Whether there is a whole copy, after it was renewed where the service answers. */
async function keep() {
  try {
    const answers = await Promise.all(FILES.map((file) => fetch(file, { cache: "no-cache" })));
    if (!answers.every((answer) => answer.ok)) return await isWhole();
    const name = STEM + (await digest(answers.map((answer) => answer.headers.get("ETag")).join()));
    const copy = await caches.open(name);
    await Promise.all(FILES.map((file, i) => copy.put(file, answers[i])));
    for (const other of await own()) if (other !== name) await caches.delete(other);
  } catch {
    // The service does not answer, or the browser has no room: what there is stays.
  }
  return isWhole();
}

async function drop() {
  for (const name of await own()) await caches.delete(name);
  return false;
}

async function isWhole() {
  const names = await own();
  const kept = await Promise.all(names.map(async (name) => (await (await caches.open(name)).keys()).length));
  return kept.includes(FILES.length);
}

async function own() {
  return (await caches.keys()).filter((name) => name.startsWith(STEM));
}

/** @param {string} text */
async function digest(text) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return [...bytes.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
