// @ts-check
/**
 * From sound to a voice: speech is found, its frames are cut into windows, the network describes each, and their mean
 * is put on the unit sphere; as the library's `embedder` and `windows` do it.
 */

import { BANDS, HOP, RATE, count, fbank } from "./fbank.js";
import { duration, segments, spoken } from "./vad.js";

/** @typedef {(features: Float32Array, frames: number) => Promise<Float32Array>} Network from rows of features to its answer */
/** @typedef {{vector: Float32Array | null, seconds: number, need: number}} Voice no vector: there was too little speech */

/**
 * @param {Float32Array} samples at 16 kHz, one channel
 * @param {import("./card.js").Card} card
 * @param {{vad: Network, speaker: Network}} networks
 * @returns {Promise<Voice>}
 */
export async function embed(samples, card, networks) {
  const frames = count(samples.length);
  const plain = fbank(samples);
  const probabilities = frames ? await networks.vad(plain, frames) : new Float32Array();
  const speech = segments(probabilities, samples.length / RATE);
  const chosen = spoken(speech, frames);
  const seconds = duration(speech);
  const need = Math.max(card.min_speech, HOP / RATE);
  if (!chosen.length || seconds < card.min_speech) return { vector: null, seconds, need };
  const gain = gainOf(samples, card.level_dbfs);
  const features = gain === 1 ? plain : fbank(samples, gain);
  const mean = new Float64Array(card.dimension);
  for (const [first, last] of windows(chosen.length, card.window)) {
    const window = centred(features, chosen.slice(first, last));
    const vector = unit(await networks.speaker(window, last - first));
    for (let i = 0; i < mean.length; i += 1) mean[i] += vector[i];
  }
  return { vector: unit(mean), seconds, need };
}

/** The factor on what is quieter than the model expects. @param {Float32Array} samples @param {number | null} wanted dB over full scale */
function gainOf(samples, wanted) {
  if (wanted === null) return 1;
  let power = 0;
  for (const sample of samples) power += sample * sample;
  const level = 10 * Math.log10(Math.max(power / samples.length, 1e-20));
  return Math.max(1, 10 ** ((wanted - level) / 20));
}

/** One window of all frames where they fit, else as many as cover them, evenly spread. @param {number} total @param {{frames: number, hop: number}} window @returns {[number, number][]} */
export function windows(total, { frames, hop }) {
  if (total <= frames) return [[0, total]];
  const spans = Math.ceil((total - frames) / hop);
  return Array.from({ length: spans + 1 }, (_, i) => {
    const start = nearest((i * (total - frames)) / spans);
    return [start, start + frames];
  });
}

/** The nearest whole number; halves go to the even one, as in Python. @param {number} value */
function nearest(value) {
  const whole = Math.round(value);
  return whole - value === 0.5 && whole % 2 ? whole - 1 : whole;
}

/** Some frames, each band without its mean over them. @param {Float32Array} features @param {number[]} frames */
function centred(features, frames) {
  const found = new Float32Array(frames.length * BANDS);
  const mean = new Float64Array(BANDS);
  for (const frame of frames) for (let band = 0; band < BANDS; band += 1) mean[band] += features[frame * BANDS + band] / frames.length;
  frames.forEach((frame, row) => {
    for (let band = 0; band < BANDS; band += 1) found[row * BANDS + band] = features[frame * BANDS + band] - mean[band];
  });
  return found;
}

/** @param {Float32Array | Float64Array} vector */
function unit(vector) {
  const norm = Math.hypot(...vector);
  if (!(norm > 0 && Number.isFinite(norm))) throw new Error("the network's answer is zero or not finite; give longer speech");
  return Float32Array.from(vector, (value) => value / norm);
}
