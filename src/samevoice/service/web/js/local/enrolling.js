// @ts-check
/**
 * Enrol in this browser: a name, consent, one recording.
 */

import { recordBox } from "../components/recordbox.js";
import { resultPlace } from "../components/result.js";
import { actor, field, fill, h, sentence, tick } from "../dom.js";
import { reading } from "../enrol/reading.js";
import { seconds } from "../words.js";
import { LIMITS, shortage } from "./engine.js";
import { all, keep } from "./store.js";

const CONSENT = "I agree that this browser keeps a voiceprint of me (numbers computed from my voice, not the recording), on this device alone. I can delete it below at any time.";
const ENOUGH = 5; // seconds of speech that make a good voiceprint

/** @param {import("./engine.js").Engine} engine @param {() => Promise<void>} changed told when somebody was enrolled */
export function enrolling(engine, changed) {
  const result = resultPlace();
  const name = h("input", { name: "name", autocomplete: "name", maxlength: 200 });
  const agreed = h("input", { type: "checkbox", name: "consent" });
  const missing = h("p", { class: "notice bad", role: "alert" });
  const text = h("div");
  const box = recordBox({ label: "Your voice", limits: LIMITS, alone: true, enough: ENOUGH, hint: "Press Record and read the text, or drop a recording here.", onchange: () => result.clear() });
  reading().then((element) => fill(text, element));

  /** @param {HTMLElement} control @param {string} words */
  function want(control, words) {
    missing.textContent = words;
    control.focus();
  }

  async function enrol() {
    missing.textContent = "";
    const who = name.value.trim();
    if (!who) return want(name, "Give a name first.");
    if (!agreed.checked) return want(agreed, "Without your consent nothing is kept: tick the box first.");
    const clip = box.taken();
    if (!clip) return box.ask("Record or choose your voice first.");
    try {
      const voice = await engine.hear(clip);
      if (!voice.vector) return result.show("warn", "Not enrolled", h("p", {}, sentence(shortage(voice))));
      const again = (await all()).some((print) => print.name === who);
      await keep({ name: who, vector: [...voice.vector], seconds: voice.seconds, model: voice.model, made: new Date().toISOString() });
      await changed();
      result.show("good", `${who} is enrolled on this device`, h("p", {}, `From ${seconds(voice.seconds)} of speech.${again ? " The earlier voiceprint of that name is replaced." : ""}`));
    } catch (problem) {
      result.fail(problem, "Not enrolled");
    }
  }

  const element = h(
    "section",
    { class: "card", id: "enrolling", "aria-labelledby": "enrolling-title" },
    h("h2", { id: "enrolling-title" }, "Enrol on this device"),
    field("Name", name),
    tick(agreed, CONSENT),
    text,
    box.element,
    missing,
    h("div", { class: "row" }, actor("Enrol", enrol, { class: "main" })),
    result.element,
  );
  return { element, destroy: box.destroy };
}
