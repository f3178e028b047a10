// @ts-check
/**
 * The copy of this view that the browser keeps, to open it without the service.
 *
 * The page makes it, which knows what it is made of, and renews it as a whole, named after the ETags of its files. The
 * service worker answers from it where the service does not.
 */

const STEM = "samevoice-";
const SCRIPT = new URL("../../sw.js", import.meta.url);
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
].map((file) => new URL(file, new URL("../../", import.meta.url)).href);

/** @type {Promise<boolean>} */
let copying = Promise.resolve(false);

/** Make or renew the copy. @returns {Promise<boolean>} whether there is a whole one that will be used */
export function keepCopy() {
  copying = copied();
  return copying;
}

async function copied() {
  if (!navigator.serviceWorker) return false; // not over plain HTTP from another machine
  try {
    await navigator.serviceWorker.register(SCRIPT);
    await navigator.serviceWorker.ready;
    return await alone(renew);
  } catch {
    return false; // a certificate that the browser does not know, for instance
  }
}

/** Remove it, once what is under way is over. */
export async function dropCopy() {
  await copying;
  if (!navigator.serviceWorker) return;
  await alone(async () => {
    for (const name of await own()) await caches.delete(name);
  });
  await (await navigator.serviceWorker.getRegistration())?.unregister();
}

/** One after the other, whichever page it is: each clears away others' copies. @template T @param {() => Promise<T>} work */
function alone(work) {
  return navigator.locks.request(`${STEM}copy`, work);
}

async function renew() {
  try {
    const options = { cache: /** @type {RequestCache} */ ("no-cache"), headers: { "x-renew": "1" } };
    const answers = await Promise.all(FILES.map((file) => fetch(file, options)));
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
