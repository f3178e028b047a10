// @ts-check
/**
 * The evidence between "different people" and "same person", as odds on a logarithmic scale.
 */

import { h } from "../dom.js";
import { odds } from "../words.js";

const END = Math.log(1000); // what lies beyond is drawn at the end
const SAME = Math.log(19); // least evidence for "same person", as the decision asks
const DIFFERENT = -Math.log(4);
const TICKS = [-1000, -100, -10, 1, 10, 100, 1000];

/** @param {number} llr */
const place = (llr) => 50 + (50 * Math.max(-END, Math.min(END, llr))) / END;

/** Where evidence lies, in words. @param {number} llr */
export function evidence(llr) {
  if (Math.abs(llr) < 0.05) return "no evidence either way";
  return `${odds(llr)} for ${llr > 0 ? "the same person" : "different people"}`;
}

/**
 * @param {number} llr natural logarithm of the odds of one speaker
 * @param {string} verdict "same", "different" or "unsure"
 */
export function evidenceScale(llr, verdict) {
  const words = evidence(llr);
  const meter = h(
    "div",
    {
      class: "scale-track",
      role: "meter",
      "aria-label": "Evidence",
      "aria-valuemin": -1000,
      "aria-valuemax": 1000,
      "aria-valuenow": Math.round(Math.sign(llr) * Math.min(1000, Math.exp(Math.abs(llr)))),
      "aria-valuetext": words,
    },
    h("span", { class: "zone different", style: { width: `${place(DIFFERENT)}%` } }),
    h("span", { class: "zone unsure", style: { width: `${place(SAME) - place(DIFFERENT)}%` } }),
    h("span", { class: "zone same", style: { width: `${100 - place(SAME)}%` } }),
    h("span", { class: `dot ${verdict}`, style: { left: `${place(llr)}%` } }),
  );
  const ticks = TICKS.map((ratio) => {
    const at = place(Math.sign(ratio) * Math.log(Math.abs(ratio)));
    const major = [-1000, 1, 1000].includes(ratio);
    return h("span", { class: major ? "major" : null, style: { left: `${at}%` } }, Math.abs(ratio) === 1 ? "even" : `${Math.abs(ratio).toLocaleString("en-GB")}:1`);
  });
  return h(
    "div",
    { class: "scale" },
    h("div", { class: "scale-ends", "aria-hidden": "true" }, h("span", {}, "different people"), h("span", {}, "same person")),
    meter,
    h("div", { class: "scale-ticks", "aria-hidden": "true" }, ticks),
  );
}
