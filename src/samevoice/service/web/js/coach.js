// @ts-check
/**
 * What to tell somebody who is being recorded: level, seconds of speech, noise.
 *
 * The service listens along and knows best. Where it cannot, a simple meter of this page goes on: speech is then what
 * is clearly louder than the quietest moments.
 */

/** @typedef {{dbfs: number, speech: number, snr: number | null, clipped: boolean, local: boolean, seconds: number}} State */

export const ENOUGH = 5; // seconds of speech that make a good voiceprint
const NOISY = 11; // dB of speech over noise; less is refused when enrolling
const FAIR = 15;
const QUIET = -45; // dBFS of speech
const SILENT = -65;
const CLIP = 0.99;
const MARGIN = 8; // dB over the quietest moments that count as speech
const RISE = 1; // dB per second by which the quietest moments may grow louder
const HOLD = 0.3; // seconds of a pause that still count as speech
const STALE = 2; // seconds without word from the service

/** Level of some samples in dB over full scale. @param {Float32Array} samples */
export function decibels(samples) {
  let power = 0;
  for (const sample of samples) power += sample * sample;
  return Math.max(-100, 10 * Math.log10(power / samples.length + 1e-12));
}

/** Listens to one recording. */
export class Coach {
  /** @type {State} */
  state = { dbfs: -100, speech: 0, snr: null, clipped: false, local: true, seconds: 0 };
  #rate;
  #floor = 0;
  #power = 0;
  #pause = HOLD;
  #heard = -STALE;
  #own = { speech: 0, snr: /** @type {number | null} */ (null) };
  /** @type {ReturnType<import("./api.js").Api["stream"]> | null} */
  #line = null;

  /**
   * @param {number} rate
   * @param {import("./api.js").Api | null} [api] asked to listen along
   */
  constructor(rate, api = null) {
    this.#rate = rate;
    if (api) {
      this.#line = api.stream({ rate, names: false, coach: true }, (event) => this.#told(event), () => { this.#line = null; });
    }
  }

  /** @param {Float32Array} part */
  hear(part) {
    const { state } = this;
    const level = decibels(part);
    const length = part.length / this.#rate;
    this.#line?.send(part);
    state.seconds += length;
    state.dbfs = level;
    if (part.some((sample) => Math.abs(sample) >= CLIP)) state.clipped = true;
    if (level > -99) this.#floor = this.#floor === 0 ? level : Math.min(this.#floor + RISE * length, level);
    const loud = level > Math.max(this.#floor + MARGIN, SILENT);
    this.#pause = loud ? 0 : this.#pause + length;
    if (this.#pause < HOLD) this.#own.speech += length;
    if (loud) {
      this.#power = this.#power === 0 ? 10 ** (level / 10) : 0.9 * this.#power + 0.1 * 10 ** (level / 10);
      this.#own.snr = 10 * Math.log10(this.#power) - this.#floor;
    }
    state.local = state.seconds - this.#heard > STALE;
    if (state.local) Object.assign(state, this.#own);
  }

  /** @param {any} event */
  #told(event) {
    if (event.event === "problem") this.end();
    if (event.event !== "level") return;
    this.#heard = this.state.seconds;
    Object.assign(this.state, { speech: event.speech, snr: event.snr_db });
  }

  /** The recording is over. */
  end() {
    this.#line?.close();
    this.#line = null;
  }
}

/**
 * One thing to say now: what is wrong first, then how much more speech is wanted.
 * @param {State} state
 * @param {number} [enough] seconds of speech that are wanted
 */
export function advice({ dbfs, speech, snr, clipped, seconds }, enough = ENOUGH) {
  if (clipped) return "Too loud: move back a little, then record again.";
  if (seconds > 2 && speech < 0.1) return dbfs < SILENT ? "Nothing is heard: is the microphone muted?" : "Please speak.";
  if (snr !== null && snr < NOISY && speech > 1) return "It is noisy: go where it is quieter, or closer to the microphone.";
  const missing = Math.ceil(enough - speech);
  if (missing > 0) return `Go on: about ${missing} s more.`;
  return "That is enough; stop when you like.";
}

/** The level in a word. @param {State} state */
export function levelWord({ dbfs, clipped }) {
  if (clipped) return "too loud";
  if (dbfs < SILENT) return "silent";
  return dbfs < QUIET ? "quiet" : "good";
}

/** The noise in words. @param {State} state */
export function noiseWord({ snr }) {
  if (snr === null) return "listening …";
  if (snr < NOISY) return "noisy";
  return snr < FAIR ? "some noise" : "low";
}
