// @ts-check
/**
 * A bar for a share, with its words: never the length or the colour alone.
 */

import { h } from "../dom.js";

/**
 * @param {string} label
 * @param {string} [kind] a further class
 */
export function bar(label, kind = "") {
  const fillIn = h("span", { class: "bar-fill" });
  const track = h("span", { class: "bar-track", role: "meter", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100 }, fillIn);
  const words = h("span", { class: "bar-words" });
  const element = h("div", { class: `bar ${kind}` }, h("span", { class: "bar-label", "aria-hidden": "true" }, label), track, words);
  return {
    element,
    /** @param {number} share 0 to 1 @param {string} text */
    set(share, text) {
      const percent = Math.round(100 * Math.max(0, Math.min(1, share)));
      fillIn.style.setProperty("width", `${percent}%`);
      track.setAttribute("aria-valuenow", String(percent));
      track.setAttribute("aria-valuetext", text);
      words.textContent = text;
    },
  };
}
