// @ts-check
/**
 * The picture of a sound: a bar for each moment, as loud as it was.
 */

import { h } from "../dom.js";

const BAR = 3; // CSS pixels of a bar
const GAP = 2;

/**
 * The loudest moment of each of n equal parts.
 * @param {Float32Array} samples
 * @param {number} n
 * @returns {Float32Array} n values in [0, 1]
 */
export function peaksOf(samples, n) {
  const peaks = new Float32Array(n);
  for (let i = 0; i < n; i += 1) {
    const end = Math.floor(((i + 1) * samples.length) / n);
    for (let j = Math.floor((i * samples.length) / n); j < end; j += 1) peaks[i] = Math.max(peaks[i], Math.abs(samples[j]));
  }
  return peaks;
}

/**
 * A waveform that fits its box and follows the colours of the page (`color` of the canvas).
 * @param {string} label what it shows, for those who do not see it
 */
export function waveform(label) {
  const element = h("canvas", { class: "wave", role: "img", "aria-label": label });
  /** @type {Float32Array | null} */
  let samples = null;
  /** @type {number[]} */
  let levels = [];

  function draw() {
    const { width, height } = element.getBoundingClientRect();
    const ratio = devicePixelRatio || 1;
    element.width = Math.round(width * ratio);
    element.height = Math.round(height * ratio);
    const pen = element.getContext("2d");
    if (!pen || !width) return;
    const bars = Math.floor((width + GAP) / (BAR + GAP));
    const peaks = samples ? peaksOf(samples, bars) : levels.slice(-bars);
    const loudest = samples ? Math.max(0.02, ...peaks) : 1; // a recording fills its box; live levels are decibels
    pen.scale(ratio, ratio);
    pen.fillStyle = getComputedStyle(element).color;
    for (let i = 0; i < bars; i += 1) {
      const tall = Math.max(BAR, ((peaks[i] ?? 0) / loudest) * height);
      pen.globalAlpha = i < peaks.length ? 1 : 0.25;
      pen.beginPath();
      pen.roundRect(i * (BAR + GAP), (height - tall) / 2, BAR, tall, BAR / 2);
      pen.fill();
    }
  }

  const resized = new ResizeObserver(draw);
  resized.observe(element);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", draw);
  return {
    element,
    /** Show a whole recording, or nothing. @param {Float32Array | null} sound */
    show(sound) {
      samples = sound;
      levels = [];
      draw();
    },
    /** Add a moment to what is being recorded. @param {number} level in [0, 1] */
    push(level) {
      samples = null;
      levels.push(level);
      requestAnimationFrame(draw);
    },
    destroy() {
      resized.disconnect();
      dark.removeEventListener("change", draw);
    },
  };
}
