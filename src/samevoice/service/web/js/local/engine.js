// @ts-check
/**
 * Voices on this device: decodes recordings, has the worker describe them, and compares. Nothing is sent anywhere.
 */

import { Problem } from "../api.js";
import { cosine, decide, undecided } from "./decide.js";
import { rateOf } from "./resample.js";

export const LIMITS = { clip_bytes: 16 * 2 ** 20, clip_seconds: 300 };

/** @typedef {import("./embed.js").Voice & {name: string, model: string}} Heard */

/** Why the model cannot run in this browser at all; null where it may. */
export function lacking() {
  if (typeof WebAssembly !== "object") return "WebAssembly";
  return typeof DecompressionStream === "undefined" ? "DecompressionStream" : null;
}

/** What cannot be done here, in words. @param {string} words */
const trouble = (words) => new Problem(0, "local", words);

/** The model in its worker. */
export class Engine {
  /** @type {Promise<import("./card.js").Card>} */
  ready;
  #worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  /** @type {Map<number, {done: (voice: import("./embed.js").Voice) => void, fail: (problem: Problem) => void}>} */
  #waiting = new Map();
  #asked = 0;

  constructor() {
    this.ready = new Promise((done, fail) => {
      this.#worker.addEventListener("message", ({ data }) => {
        if (data.ready) done(data.ready);
        else if (data.trouble) fail(trouble(data.trouble));
        else this.#answer(data);
      });
      this.#worker.addEventListener("error", () => fail(trouble("The model cannot be loaded here; use a newer browser, or see that the service runs and open this view again.")));
    });
    this.ready.catch(() => undefined); // told where it is awaited
  }

  /**
   * The voice in a recording.
   * @param {{blob: Blob, name: string}} clip
   * @returns {Promise<Heard>}
   * @throws {Problem} it cannot be read, or the model cannot run
   */
  async hear({ blob, name }) {
    const { fingerprint } = await this.ready;
    const { samples, rate } = await decoded(blob, name);
    const id = (this.#asked += 1);
    const voice = await new Promise((done, fail) => {
      this.#waiting.set(id, { done, fail });
      this.#worker.postMessage({ id, samples, rate }, [samples.buffer]);
    });
    return { ...voice, name, model: fingerprint };
  }

  /**
   * Whether two voices are one.
   * @param {Heard} first
   * @param {Heard} second
   * @returns {Promise<import("./decide.js").Decision>}
   * @throws {Problem} the model has no calibration
   */
  async compare(first, second) {
    const { calibration, fingerprint } = await this.ready;
    if (!calibration) throw trouble("The model has no calibration, so its cosines mean nothing yet; update samevoice.");
    const speech = /** @type {[number, number]} */ ([first.seconds, second.seconds]);
    const short = [first, second].filter((one) => !one.vector).map(shortage);
    if (!first.vector || !second.vector) return undecided(short.join("; "), speech, fingerprint);
    return decide(cosine(first.vector, second.vector), speech, calibration, fingerprint);
  }

  /** End the worker. */
  close() {
    this.#worker.terminate();
  }

  /** @param {{id: number, voice?: import("./embed.js").Voice, problem?: string}} answer */
  #answer({ id, voice, problem }) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (voice) waiting?.done(voice);
    else waiting?.fail(trouble(`This recording cannot be described: ${problem}`));
  }
}

/** What is missing, as the library says it. @param {Heard} voice */
export function shortage({ name, seconds, need }) {
  const found = Math.floor(10 * seconds) / 10;
  const least = Math.ceil(Number((10 * need).toFixed(6))) / 10;
  const more = Math.max(least - found, 0.1);
  return `${name}: ${found.toFixed(1)} s of speech found, at least ${least.toFixed(1)} s needed; add ${more.toFixed(1)} s more`;
}

/**
 * The mean of a file's channels, at its own rate so far as that is known.
 * @param {Blob} blob
 * @param {string} name
 * @returns {Promise<{samples: Float32Array, rate: number}>}
 */
async function decoded(blob, name) {
  let sound;
  try {
    const file = await blob.arrayBuffer();
    sound = await new OfflineAudioContext(1, 1, rateOf(new Uint8Array(file))).decodeAudioData(file);
  } catch {
    throw trouble(`${name}: this browser cannot read it as sound; it may be damaged. Choose another recording, such as a WAV or MP3 file.`);
  }
  if (sound.duration > LIMITS.clip_seconds) throw trouble(`${name}: ${Math.round(sound.duration)} s are too long for this view; choose at most ${LIMITS.clip_seconds} s.`);
  const samples = new Float32Array(sound.length);
  for (let channel = 0; channel < sound.numberOfChannels; channel += 1) {
    const part = sound.getChannelData(channel);
    for (let i = 0; i < samples.length; i += 1) samples[i] += part[i] / sound.numberOfChannels;
  }
  if (!samples.every(Number.isFinite)) throw trouble(`${name}: holds samples that are no numbers; it may be damaged. Choose another recording.`);
  return { samples, rate: sound.sampleRate };
}
