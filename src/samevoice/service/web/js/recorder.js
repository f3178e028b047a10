// @ts-check
/**
 * The microphone: 16 kHz, without echo cancellation, noise suppression or gain control, which change a voice.
 *
 * Whatever goes wrong is told in words, as a `Trouble`.
 */

import { wav } from "./wav.js";

const RATE = 16_000;
const PATIENCE = 4_000; // milliseconds without a sample before we say that nothing comes
const OR_FILE = "or choose a file instead";

/** Why there is no sound from the microphone, in words. */
export class Trouble extends Error {}

/** @type {Record<string, string>} what the browser's errors mean */
const WORDS = {
  NotAllowedError: `The browser may not use the microphone. Allow it for this page (beside the address) and press Record again, ${OR_FILE}.`,
  NotFoundError: `No microphone was found. Connect one and press Record again, ${OR_FILE}.`,
  NotReadableError: `The microphone is busy or switched off; another program may be using it. Close that and press Record again, ${OR_FILE}.`,
};
WORDS.SecurityError = WORDS.NotAllowedError;
WORDS.OverconstrainedError = WORDS.NotFoundError;
WORDS.AbortError = WORDS.NotReadableError;

const INSECURE = `Browsers give the microphone only to secure pages. Open this page with https, or on the machine itself as http://localhost, ${OR_FILE}.`;
const NO_WORKLET = `This browser is too old to record here (it has no AudioWorklet). Use a newer one, ${OR_FILE}.`;
const NOTHING = `The microphone gives no sound. Is another one chosen in the browser's settings? Firefox also wants a sound output. Press Record again, ${OR_FILE}.`;
const GONE = "The microphone was disconnected; what came before is kept.";

/** @typedef {{wav: Blob, samples: Float32Array, rate: number}} Recording */

/**
 * Records once. Fires "part" (detail: Float32Array) for each moment, and "trouble" (detail: Trouble) if it ends early.
 */
export class Recorder extends EventTarget {
  rate = RATE;
  /** @type {Float32Array[]} */
  #parts = [];
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {AudioContext | null} */
  #context = null;
  #ended = false;
  #watch = 0;

  /**
   * Ask for the microphone and begin; call it while handling a click.
   * @throws {Trouble}
   */
  async start() {
    if (!isSecureContext) throw new Trouble(INSECURE);
    if (!navigator.mediaDevices || typeof AudioWorkletNode === "undefined") throw new Trouble(NO_WORKLET);
    try {
      this.#context = context(RATE); // made while the click is handled, or it would not run
      this.#stream = await navigator.mediaDevices.getUserMedia({
        audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 },
      });
      await this.#connect();
    } catch (error) {
      this.#release();
      const { name, message } = /** @type {Error} */ (error);
      throw new Trouble(WORDS[name] ?? `The microphone cannot be used (${message}); ${OR_FILE}.`);
    }
    if (this.#ended) this.#release(); // the reader went away while the browser asked
    for (const track of this.#stream.getTracks()) track.addEventListener("ended", () => this.#fail(GONE));
    this.#watch = setTimeout(() => this.#fail(NOTHING), PATIENCE);
  }

  /** End, and hand over what was recorded. @returns {Recording} */
  stop() {
    this.#release();
    const samples = new Float32Array(this.#parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of this.#parts) {
      samples.set(part, at);
      at += part.length;
    }
    return { wav: wav(samples, this.rate), samples, rate: this.rate };
  }

  async #connect() {
    const stream = /** @type {MediaStream} */ (this.#stream);
    let source;
    try {
      source = /** @type {AudioContext} */ (this.#context).createMediaStreamSource(stream);
    } catch {
      // Some browsers do not resample a microphone: record at its own rate, which the service resamples.
      await this.#context?.close();
      this.#context = new AudioContext();
      source = this.#context.createMediaStreamSource(stream);
    }
    const running = /** @type {AudioContext} */ (this.#context);
    this.rate = running.sampleRate;
    await running.audioWorklet.addModule(new URL("./worklet.js", import.meta.url));
    const tap = new AudioWorkletNode(running, "tap", { channelCount: 1, channelCountMode: "explicit" });
    tap.port.addEventListener("message", ({ data }) => this.#take(data));
    tap.port.start();
    source.connect(tap).connect(running.destination); // it writes nothing there; unconnected it might not run
    running.resume().catch(() => undefined); // not awaited: where it never comes to run, the patience ends
  }

  /** @param {Float32Array} part */
  #take(part) {
    if (this.#ended) return;
    clearTimeout(this.#watch);
    this.#parts.push(part);
    this.dispatchEvent(new CustomEvent("part", { detail: part }));
  }

  /** @param {string} words */
  #fail(words) {
    if (this.#ended) return;
    this.#release();
    this.dispatchEvent(new CustomEvent("trouble", { detail: new Trouble(words) }));
  }

  #release() {
    this.#ended = true;
    clearTimeout(this.#watch);
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    if (this.#context && this.#context.state !== "closed") this.#context.close();
  }
}

/** A context at a rate, or at the browser's own where it refuses. @param {number} rate */
function context(rate) {
  try {
    return new AudioContext({ sampleRate: rate });
  } catch {
    return new AudioContext();
  }
}
