// @ts-check
/**
 * The curve of both errors as a picture: strangers who pass to the right, the right people turned away upwards.
 */

import { svg } from "../dom.js";
import { rate } from "../words.js";

const [WIDTH, HEIGHT] = [560, 320];
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 16, 16, 52];
const TICKS = [1e-5, 1e-4, 1e-3, 2e-3, 3e-3, 4e-3, 5e-3, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.1, 0.15, 0.2, 0.25,
  0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
const SPACE = 44; // pixels between the words of two ticks

/** @typedef {{far: number, threshold: number, kept: number, frr: number}} Point */

/**
 * @param {Point[]} points
 * @param {string} words what it shows
 * @returns {{element: SVGElement, mark: (point: Point) => void}}
 */
export function curve(points, words) {
  const across = axis(points.map((one) => one.kept), LEFT, WIDTH - RIGHT);
  const up = axis(points.map((one) => one.frr), HEIGHT - BOTTOM, TOP);
  const path = points.map((one, at) => `${at ? "L" : "M"}${across.at(one.kept)} ${up.at(one.frr)}`).join(" ");
  const dot = svg("circle", { r: 7, class: "here" });
  const cross = svg("path", { class: "cross" });
  const below = HEIGHT - BOTTOM;
  const element = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": words, class: "curve" },
    across.ticks.map((value) => [
      svg("path", { class: "grid", d: `M${across.at(value)} ${TOP} V${below}` }),
      svg("text", { x: across.at(value), y: below + 20, "text-anchor": "middle" }, rate(value)),
    ]).flat(),
    up.ticks.map((value) => [
      svg("path", { class: "grid", d: `M${LEFT} ${up.at(value)} H${WIDTH - RIGHT}` }),
      svg("text", { x: LEFT - 8, y: up.at(value) + 5, "text-anchor": "end" }, rate(value)),
    ]).flat(),
    svg("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 8, "text-anchor": "middle" }, "strangers who pass"),
    svg("text", { transform: `translate(16 ${(TOP + below) / 2}) rotate(-90)`, "text-anchor": "middle" }, "turned away"),
    svg("path", { class: "line", d: path }),
    cross,
    dot,
  );
  return {
    element,
    mark(point) {
      const [x, y] = [across.at(point.kept), up.at(point.frr)];
      dot.setAttribute("cx", String(x));
      dot.setAttribute("cy", String(y));
      cross.setAttribute("d", `M${x} ${y} V${below} M${x} ${y} H${LEFT}`);
    },
  };
}

/**
 * Shares in normal deviates, in which the errors of two normal distributions lie on a line.
 * @param {number[]} values
 * @param {number} from pixel of the least
 * @param {number} to pixel of the most
 */
function axis(values, from, to) {
  const [least, most] = [deviate(Math.min(...values)), deviate(Math.max(...values))];
  const margin = Math.max((most - least) * 0.05, 0.05);
  const [first, span] = [least - margin, most - least + 2 * margin];
  const at = (/** @type {number} */ share) => Math.round(10 * (from + ((deviate(share) - first) / span) * (to - from))) / 10;
  /** @type {number[]} */
  const ticks = [];
  for (const tick of TICKS) {
    const inside = deviate(tick) >= first && deviate(tick) <= first + span;
    if (inside && (!ticks.length || Math.abs(at(tick) - at(ticks[ticks.length - 1])) >= SPACE)) ticks.push(tick);
  }
  return { at, ticks };
}

/**
 * The normal deviate of a share. Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.2.23.
 * @param {number} share
 */
function deviate(share) {
  const p = Math.min(Math.max(share, 1e-6), 1 - 1e-6);
  const t = Math.sqrt(-2 * Math.log(Math.min(p, 1 - p)));
  const z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  return p < 0.5 ? -z : z;
}
