// @ts-check
/**
 * Any sound at 16 kHz: which rate a file has, and a filter as the library's. Browsers resample too, but each in its own
 * way and not as well, and a network hears the difference.
 *
 * Source: the low-pass of soxr's quality "HQ" (a sinc in a Kaiser window); the headers of WAV, FLAC, Vorbis and MP3.
 */

import { RATE } from "./fbank.js";

const USUAL = 48_000; // decoded at this rate where the file's own is not known
const PASS = 0.913; // share of the lower band that is kept
const MIDDLE = (1 + PASS) / 2; // the filter is down to a half here, and to nothing at 1
const DECIBELS = 126; // down to nothing
const MOST_PHASES = 2_000; // of the filter; rates with more of them are no real ones
const MP3 = [44_100, 48_000, 32_000];

/**
 * The sample rate of a file, so far as its head tells it.
 * @param {Uint8Array} file
 */
export function rateOf(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  try {
    const rate = told(file, view);
    return rate >= 8_000 && rate <= 96_000 && RATE / common(rate, RATE) <= MOST_PHASES ? rate : USUAL;
  } catch {
    return USUAL; // it ends within its head
  }
}

/** @param {Uint8Array} file @param {DataView} view */
function told(file, view) {
  const text = (/** @type {number} */ at, /** @type {number} */ size) => String.fromCharCode(...file.subarray(at, at + size));
  const start = text(0, 4);
  if (start === "RIFF") {
    let at = 12;
    while (text(at, 4) !== "fmt ") at += 8 + view.getUint32(at + 4, true);
    return view.getUint32(at + 12, true);
  }
  if (start === "fLaC") return view.getUint32(18) >>> 12;
  if (start === "OggS") {
    const at = text(0, 128).indexOf("vorbis");
    return at < 0 ? USUAL : view.getUint32(at + 11, true);
  }
  const tag = text(0, 3) === "ID3" ? 10 + [6, 7, 8, 9].reduce((size, at) => 128 * size + file[at], 0) : 0;
  const head = view.getUint32(tag);
  const version = (head >>> 19) & 3; // 3, 2, 0: MPEG 1, 2, 2.5
  const isMp3 = head >>> 21 === 0x7ff && version !== 1 && (head >>> 17) & 3;
  return isMp3 ? MP3[(head >>> 10) & 3] / { 3: 1, 2: 2, 0: 4 }[version] : USUAL;
}

/**
 * @param {Float32Array} samples
 * @param {number} rate in Hz
 * @returns {Float32Array} at 16 kHz
 */
export function resampled(samples, rate) {
  if (rate === RATE) return samples;
  const step = common(rate, RATE);
  const [up, down] = [RATE / step, rate / step];
  const rows = Array.from({ length: up }, (_, phase) => filter(phase / up, rate));
  const half = rows[0].length / 2;
  const found = new Float32Array(Math.round((samples.length * up) / down));
  for (let n = 0; n < found.length; n += 1) {
    const row = rows[(n * down) % up];
    const first = Math.floor((n * down) / up) - half + 1;
    const end = Math.min(row.length, samples.length - first);
    let sum = 0;
    for (let i = Math.max(0, -first); i < end; i += 1) sum += row[i] * samples[first + i];
    found[n] = sum;
  }
  return found;
}

/** The filter for what lies a share behind a sample. @param {number} share 0 to 1 @param {number} rate @returns {Float64Array} */
function filter(share, rate) {
  const band = Math.min(RATE, rate) / rate; // of the input's
  const half = Math.ceil((DECIBELS - 8) / (2.285 * Math.PI * (1 - PASS) * band) / 2);
  const beta = 0.1102 * (DECIBELS - 8.7);
  const row = Float64Array.from({ length: 2 * half }, (_, i) => {
    const at = i - half + 1 - share;
    const angle = Math.PI * MIDDLE * band * at;
    const sinc = angle === 0 ? 1 : Math.sin(angle) / angle;
    return MIDDLE * band * sinc * (bessel(beta * Math.sqrt(Math.max(0, 1 - (at / half) ** 2))) / bessel(beta));
  });
  return row;
}

/** The modified Bessel function of order zero. @param {number} x */
function bessel(x) {
  let [sum, term] = [1, 1];
  for (let k = 1; term > 1e-12 * sum; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** The greatest common divisor. @param {number} a @param {number} b @returns {number} */
function common(a, b) {
  return b ? common(b, a % b) : a;
}
