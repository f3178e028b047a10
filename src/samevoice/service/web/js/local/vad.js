// @ts-check
/**
 * From probabilities of speech to a timeline, and which frames of features lie in it: as the library's `Hysteresis`.
 */

import { HOP, RATE, WIDTH } from "./fbank.js";

export const STEP = 0.02; // seconds of one probability
const ONSET = 0.5; // speech begins at this probability
const OFFSET = 0.35; // and ends below this one
const LEAST_SPEECH = 0.2; // seconds; shorter segments are dropped
const LEAST_SILENCE = 0.1; // shorter pauses are bridged
const PADDING = 0.03; // added on both sides

/** @typedef {{start: number, end: number}} Segment in seconds */

/**
 * @param {Float32Array} probabilities one for each 20 ms
 * @param {number} extent seconds of the recording
 * @returns {Segment[]} in order, apart from each other
 */
export function segments(probabilities, extent) {
  /** @type {[number, number][]} */
  const bridged = [];
  for (const [first, last] of runs(probabilities)) {
    const before = bridged.at(-1);
    if (before && (first - before[1]) * STEP < LEAST_SILENCE) before[1] = last;
    else bridged.push([first, last]);
  }
  /** @type {Segment[]} */
  const found = [];
  for (const [first, last] of bridged) {
    if ((last - first) * STEP < LEAST_SPEECH) continue;
    const start = Math.max(first * STEP - PADDING, 0);
    const end = Math.min(last * STEP + PADDING, extent);
    const before = found.at(-1);
    if (start >= end) continue;
    if (before && start <= before.end) before.end = Math.max(before.end, end);
    else found.push({ start, end });
  }
  return found;
}

/** Stretches above the offset, each from where it reaches the onset. @param {Float32Array} probabilities @returns {Generator<[number, number]>} */
function* runs(probabilities) {
  let first = -1;
  for (let i = 0; i <= probabilities.length; i += 1) {
    const probability = probabilities[i] ?? 0;
    if (first < 0 && probability >= ONSET) first = i;
    if (first >= 0 && probability < OFFSET) {
      yield [first, i];
      first = -1;
    }
  }
}

/** Seconds of all segments together. @param {Segment[]} speech */
export function duration(speech) {
  return speech.reduce((sum, { start, end }) => sum + (end - start), 0);
}

/**
 * The frames whose middle lies inside speech.
 * @param {Segment[]} speech
 * @param {number} frames of the recording
 * @returns {number[]}
 */
export function spoken(speech, frames) {
  const found = [];
  let at = 0;
  for (let frame = 0; frame < frames; frame += 1) {
    const middle = (frame * HOP + WIDTH / 2) / RATE;
    while (at < speech.length && middle >= speech[at].end) at += 1;
    if (at < speech.length && middle >= speech[at].start) found.push(frame);
  }
  return found;
}
