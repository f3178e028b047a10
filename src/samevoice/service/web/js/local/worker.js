// @ts-check
/**
 * Runs beside the page: ONNX Runtime with the small model and the voice activity detector. Sound comes in, numbers go
 * out; nothing is sent. Only this file may compile WebAssembly: the page itself is not allowed to.
 */

import * as ort from "../../vendor/onnxruntime/ort.wasm.min.mjs";
import { cardOf } from "./card.js";
import { embed } from "./embed.js";
import { BANDS } from "./fbank.js";
import { resampled } from "./resample.js";

const RUNTIME = new URL("../../vendor/onnxruntime/ort-wasm-simd-threaded", import.meta.url).href;
const MODELS = new URL("../../models/", import.meta.url).href;
const FRONTEND = "kaldi-fbank";

/** What was asked of the worker cannot be done; the message is a sentence for people. */
class Trouble extends Error {}

/** Read a file of the service. @param {string} url @returns {Promise<Response>} */
async function got(url) {
  const answer = await fetch(url).catch(() => null);
  if (answer?.ok) return answer;
  const name = url.split("/").at(-1);
  if (answer?.status === 404) throw new Trouble(`The service has no ${name}; update samevoice there.`);
  throw new Trouble(`${name} cannot be loaded. See that the service runs, then open this view again.`);
}

/** @param {string} name @returns {Promise<Uint8Array>} */
async function model(name) {
  return new Uint8Array(await (await got(`${MODELS}${name}`)).arrayBuffer());
}

/** The runtime, which is kept small on disk and on its way. @returns {Promise<ArrayBuffer>} */
async function runtime() {
  const { body } = await got(`${RUNTIME}.wasm.gz`);
  return new Response(body?.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

/** @param {Uint8Array} file @returns {Promise<import("./embed.js").Network>} */
async function network(file) {
  const session = await ort.InferenceSession.create(file, { executionProviders: ["wasm"], graphOptimizationLevel: "all" });
  const [input] = session.inputNames;
  const [output] = session.outputNames;
  return async (features, frames) => {
    const answers = await session.run({ [input]: new ort.Tensor("float32", features, [1, frames, BANDS]) });
    return answers[output].data;
  };
}

/** Load everything, once. */
async function open() {
  const [wasm, small, vad] = await Promise.all([runtime(), model("small.onnx"), model("vad.onnx")]);
  ort.env.wasm.numThreads = 1; // more would need the page to be isolated from all others
  ort.env.wasm.wasmPaths = { mjs: `${RUNTIME}.mjs` };
  ort.env.wasm.wasmBinary = wasm;
  const networks = { vad: await network(vad), speaker: await network(small) };
  const card = cardOf(small);
  if (card.frontend.kind !== FRONTEND) throw new Trouble(`The model wants other features (${card.frontend.kind}); update samevoice.`);
  return { card, networks };
}

const opened = open();
opened.then(
  ({ card }) => postMessage({ ready: card }),
  (problem) => postMessage({ trouble: problem instanceof Trouble ? problem.message : `The model cannot run in this browser (${problem.message}); use a newer one.` }),
);
let last = Promise.resolve();
addEventListener("message", ({ data: { id, samples, rate } }) => {
  last = last.then(async () => { // one after the other
    try {
      const { card, networks } = await opened;
      postMessage({ id, voice: await embed(resampled(samples, rate), card, networks) });
    } catch (problem) {
      postMessage({ id, problem: /** @type {Error} */ (problem).message });
    }
  });
});
