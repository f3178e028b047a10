// @ts-check
/**
 * Two recordings, one verdict, without the service.
 */

import { recordBox } from "../components/recordbox.js";
import { decisionDetails, headline, mood, resultPlace } from "../components/result.js";
import { actor, h } from "../dom.js";
import { seconds } from "../words.js";
import { LIMITS } from "./engine.js";

const WORDS = { same: "Same person", different: "Different people" };

/** @param {import("./engine.js").Engine} engine */
export function comparing(engine) {
  const result = resultPlace();
  const boxes = ["First voice", "Second voice"].map((label) => recordBox({ label, limits: LIMITS, alone: true, onchange: () => result.clear() }));

  async function compare() {
    const clips = boxes.map((box) => box.taken());
    const missing = clips.findIndex((clip) => !clip);
    if (missing >= 0) return boxes[missing].ask("Record or choose this voice first.");
    try {
      const [first, second] = await Promise.all(clips.map((clip) => engine.hear(/** @type {any} */ (clip))));
      const found = await engine.compare(first, second);
      result.show(mood(found.verdict), headline(found, WORDS), ...decisionDetails(found, found.speech.map(seconds).join(" and ")));
    } catch (problem) {
      result.fail(problem, "No verdict");
    }
  }

  const element = h(
    "section",
    { class: "card", id: "comparing", "aria-labelledby": "comparing-title" },
    h("h2", { id: "comparing-title" }, "Same voice?"),
    h("div", { class: "pair" }, boxes.map((box) => box.element)),
    h("div", { class: "row" }, actor("Compare", compare, { class: "main" })),
    result.element,
  );
  return { element, destroy: () => boxes.forEach((box) => box.destroy()) };
}
