// @ts-check
/**
 * One recording against everybody who is enrolled in this browser.
 */

import { bar } from "../components/bar.js";
import { recordBox } from "../components/recordbox.js";
import { facts, headline, mood, resultPlace } from "../components/result.js";
import { actor, h, sentence } from "../dom.js";
import { percent, rate, seconds } from "../words.js";
import { LIMITS } from "./engine.js";
import { all } from "./store.js";

const EACH = { same: "same person", different: "somebody else", unsure: "cannot tell" };

/** @param {import("./engine.js").Engine} engine */
export function checking(engine) {
  const result = resultPlace();
  const box = recordBox({ label: "The voice", limits: LIMITS, alone: true, onchange: () => result.clear() });

  async function check() {
    const clip = box.taken();
    if (!clip) return box.ask("Record or choose a voice first.");
    try {
      const { fingerprint } = await engine.ready;
      const prints = (await all()).filter((print) => print.model === fingerprint);
      if (!prints.length) return result.show("warn", "Nobody is enrolled on this device yet", h("p", {}, "There is nobody to compare with: enrol somebody first."));
      await show(await engine.hear(clip), prints);
    } catch (problem) {
      result.fail(problem, "No verdict");
    }
  }

  /** @param {import("./engine.js").Heard} voice @param {import("./store.js").Voiceprint[]} prints */
  async function show(voice, prints) {
    const found = await Promise.all(
      prints.map(async (print) => ({ name: print.name, decision: await engine.compare(voice, { ...print, vector: Float32Array.from(print.vector), need: 0 }) })),
    );
    found.sort((one, other) => Number(other.decision.score) - Number(one.decision.score));
    const [{ name, decision: best }] = found;
    const tolerated = best.far === null ? null : `${rate(best.far)} for each who is enrolled, ${rate(Math.min(1, best.far * found.length))} for all ${found.length}`;
    result.show(
      mood(best.verdict),
      headline(best, { same: `This is ${name}`, different: "Nobody who is enrolled here" }),
      h("p", { class: "reason" }, sentence(best.reason)),
      best.score === null ? null : h("ol", { class: "matches", "aria-label": "Everybody who is enrolled here" }, found.map((one) => line(one.name, one.decision))),
      facts([tolerated ? ["Strangers who may pass, at most", tolerated] : null, ["Speech heard", seconds(voice.seconds)]]),
    );
  }

  const element = h(
    "section",
    { class: "card", id: "checking", "aria-labelledby": "checking-title" },
    h("h2", { id: "checking-title" }, "Is it somebody who is enrolled here?"),
    box.element,
    h("div", { class: "row" }, actor("Check", check, { class: "main" })),
    result.element,
  );
  return { element, destroy: box.destroy };
}

/** @param {string} name @param {import("./decide.js").Decision} decision */
function line(name, { verdict, probability }) {
  const found = bar(`${name}: ${EACH[verdict]}`, verdict === "same" ? "chosen" : "");
  found.set(Number(probability), percent(Number(probability)));
  return h("li", {}, found.element);
}
