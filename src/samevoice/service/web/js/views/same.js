// @ts-check
/**
 * Same voice? Two clips, one verdict.
 */

import { recordBox } from "../components/recordbox.js";
import { decisionDetails, headline, mood, resultPlace } from "../components/result.js";
import { actor, h } from "../dom.js";
import { seconds } from "../words.js";

const WORDS = { same: "Same person", different: "Different people" };

/** @param {HTMLElement} root @param {import("../app.js").Context} context */
export function view(root, { api, me }) {
  const result = resultPlace();
  const boxes = ["First voice", "Second voice"].map((label) => recordBox({ label, limits: me.limits, onchange: () => result.clear() }));

  async function compare() {
    const clips = boxes.map((box) => box.taken());
    const missing = clips.findIndex((clip) => !clip);
    if (missing >= 0) return boxes[missing].ask("Record or choose this voice first.");
    try {
      const found = await api.verify(/** @type {any} */ (clips[0]), /** @type {any} */ (clips[1]));
      result.show(mood(found.verdict), headline(found, WORDS), ...decisionDetails(found, found.speech.map(seconds).join(" and ")));
    } catch (problem) {
      result.fail(problem, "No verdict");
    }
  }

  root.append(
    h("h1", {}, "Same voice?"),
    h("p", { class: "lead" }, "Two recordings, one person in each: is it the same one? Three seconds of each are enough, in any language, and nothing is kept."),
    h("div", { class: "pair" }, boxes.map((box) => h("div", { class: "card" }, box.element))),
    h("div", { class: "row" }, actor("Compare", compare, { class: "main" })),
    result.element,
  );
  return () => boxes.forEach((box) => box.destroy());
}
