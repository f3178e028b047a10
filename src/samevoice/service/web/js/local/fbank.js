// @ts-check
/**
 * Kaldi's log mel filter bank, as the front end "kaldi-fbank" of the library has it: 25 ms every 10 ms, mean of a frame
 * removed, pre-emphasis, Povey window, power spectrum, natural logarithm, no dither, edges snipped.
 *
 * Source: kaldi-native-fbank, whose single precision this does in double.
 */

export const RATE = 16_000;
export const BANDS = 80;
export const WIDTH = 400; // samples of a frame
export const HOP = 160; // samples from one frame to the next

const SIZE = 512; // of the transform
const EMPHASIS = 0.97;
const LOWEST = 20; // Hz, where the first triangle begins
const FLOOR = 2 ** -23; // smallest energy: what single precision tells from 1
const WINDOW = Float64Array.from({ length: WIDTH }, (_, i) => (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (WIDTH - 1))) ** 0.85);
const COSINES = Float64Array.from({ length: SIZE / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / SIZE));
const SINES = Float64Array.from({ length: SIZE / 2 }, (_, i) => -Math.sin((2 * Math.PI * i) / SIZE));
const PLACES = Uint16Array.from({ length: SIZE }, (_, i) => reversed(i));
const TRIANGLES = triangles();

/** How many frames lie inside so many samples. @param {number} samples */
export function count(samples) {
  return Math.max(0, 1 + Math.floor((samples - WIDTH) / HOP));
}

/**
 * The log mel energies of each frame; no mean is removed.
 * @param {Float32Array} samples at 16 kHz, in [-1, 1]
 * @param {number} [gain] on them
 * @returns {Float32Array} `count(samples.length)` rows of 80
 */
export function fbank(samples, gain = 1) {
  const frames = count(samples.length);
  const found = new Float32Array(frames * BANDS);
  const real = new Float64Array(SIZE);
  const imaginary = new Float64Array(SIZE);
  for (let frame = 0; frame < frames; frame += 1) {
    load(samples.subarray(frame * HOP, frame * HOP + WIDTH), gain, real, imaginary);
    transform(real, imaginary);
    for (let band = 0; band < BANDS; band += 1) {
      const { first, weights } = TRIANGLES[band];
      let energy = 0;
      for (let i = 0; i < weights.length; i += 1) energy += weights[i] * (real[first + i] ** 2 + imaginary[first + i] ** 2);
      found[frame * BANDS + band] = Math.log(Math.max(energy, FLOOR));
    }
  }
  return found;
}

/**
 * Put one frame where the transform wants it.
 * @param {Float32Array} frame
 * @param {number} gain
 * @param {Float64Array} real
 * @param {Float64Array} imaginary
 */
function load(frame, gain, real, imaginary) {
  let mean = 0;
  for (const sample of frame) mean += sample;
  mean /= WIDTH;
  real.fill(0);
  imaginary.fill(0);
  for (let i = 0; i < WIDTH; i += 1) {
    const before = frame[Math.max(i - 1, 0)] - mean;
    real[PLACES[i]] = gain * (frame[i] - mean - EMPHASIS * before) * WINDOW[i];
  }
}

/** The Fourier transform of numbers in bit-reversed order, in place. @param {Float64Array} real @param {Float64Array} imaginary */
function transform(real, imaginary) {
  for (let half = 1; half < SIZE; half *= 2) {
    const step = SIZE / (2 * half);
    for (let start = 0; start < SIZE; start += 2 * half) {
      for (let k = 0; k < half; k += 1) {
        const a = start + k;
        const b = a + half;
        const cosine = COSINES[k * step];
        const sine = SINES[k * step];
        const x = real[b] * cosine - imaginary[b] * sine;
        const y = real[b] * sine + imaginary[b] * cosine;
        real[b] = real[a] - x;
        imaginary[b] = imaginary[a] - y;
        real[a] += x;
        imaginary[a] += y;
      }
    }
  }
}

/** Its nine bits in the other order. @param {number} index */
function reversed(index) {
  let found = 0;
  for (let bit = 1; bit < SIZE; bit *= 2) found = 2 * found + (index & bit ? 1 : 0);
  return found;
}

/** Triangles of unit peak, evenly spaced in mel; the highest bin has no weight. */
function triangles() {
  const mel = (/** @type {number} */ hertz) => 1127 * Math.log(1 + hertz / 700);
  const low = mel(LOWEST);
  const step = (mel(RATE / 2) - low) / (BANDS + 1);
  return Array.from({ length: BANDS }, (_, band) => {
    const left = low + band * step;
    /** @type {number[]} */
    const weights = [];
    let first = 0;
    for (let bin = 0; bin < SIZE / 2; bin += 1) {
      const at = (mel((bin * RATE) / SIZE) - left) / step;
      if (at <= 0 || at >= 2) continue;
      if (!weights.length) first = bin;
      weights.push(at <= 1 ? at : 2 - at);
    }
    return { first, weights };
  });
}
