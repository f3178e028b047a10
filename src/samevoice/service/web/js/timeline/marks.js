// @ts-check
/**
 * What a speaker looks like: a letter, a colour and a pattern, so that colour is never the only sign.
 */

import { h } from "../dom.js";

const COLOURS = 8; // --lane-1 to --lane-8 in timeline.css
const TILE = 8; // side of a pattern in pixels

/** Strokes of the patterns within a tile: x and y of both ends. @type {number[][][]} */
const PATTERNS = [
  [],
  [[0, 8, 8, 0], [-1, 1, 1, -1], [7, 9, 9, 7]],
  [[4, 0, 4, 8]],
  [[0, 0, 8, 8], [-1, 7, 1, 9], [7, -1, 9, 1]],
  [[0, 4, 8, 4]],
  [[0, 0, 8, 8], [0, 8, 8, 0]],
  [[3, 4, 5, 4]],
];

/** A, B ... Z, AA, AB ... @param {number} place from 0 */
export function letter(place) {
  const before = Math.floor(place / 26);
  return (before ? letter(before - 1) : "") + String.fromCharCode(65 + (place % 26));
}

/** @param {number} place */
const colour = (place) => `--lane-${(place % COLOURS) + 1}`;

/** The badge of a speaker, for the eye only. @param {number} place */
export function badge(place) {
  return h("span", { class: "badge", "aria-hidden": "true", style: { background: `var(${colour(place)})` } }, letter(place));
}

/**
 * The fills of a canvas for each speaker.
 * @param {CanvasRenderingContext2D} context
 * @param {Element} element whose colours hold
 */
export function paints(context, element) {
  const style = getComputedStyle(element);
  const ink = style.getPropertyValue("--lane-ink").trim();
  /** @type {Map<number, {solid: string, pattern: CanvasPattern | string}>} */
  const known = new Map();
  return (/** @type {number} */ place) => {
    const found = known.get(place);
    if (found) return found;
    const solid = style.getPropertyValue(colour(place)).trim();
    const made = { solid, pattern: tile(context, PATTERNS[place % PATTERNS.length], solid, ink) };
    known.set(place, made);
    return made;
  };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number[][]} strokes
 * @param {string} solid
 * @param {string} ink
 */
function tile(context, strokes, solid, ink) {
  const canvas = h("canvas", { width: TILE, height: TILE });
  const pen = canvas.getContext("2d");
  pen.fillStyle = solid;
  pen.fillRect(0, 0, TILE, TILE);
  pen.strokeStyle = ink;
  pen.lineWidth = 1.5;
  pen.beginPath();
  for (const [fromX, fromY, toX, toY] of strokes) {
    pen.moveTo(fromX, fromY);
    pen.lineTo(toX, toY);
  }
  pen.stroke();
  return context.createPattern(canvas, "repeat") ?? solid;
}
