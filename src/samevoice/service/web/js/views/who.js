// @ts-check
/**
 * Who is this? One clip against everybody who is enrolled.
 */

import { bar } from "../components/bar.js";
import { recordBox } from "../components/recordbox.js";
import { facts, headline, mood, resultPlace, warned } from "../components/result.js";
import { actor, h, sentence } from "../dom.js";
import { percent, rate, seconds } from "../words.js";

const LEAST = 0.005; // a smaller share of everybody else together is not drawn

/** @param {HTMLElement} root @param {import("../app.js").Context} context */
export function view(root, { api, me }) {
  const result = resultPlace();
  const box = recordBox({ label: "The voice", limits: me.limits, onchange: () => result.clear() });

  async function ask() {
    const clip = box.taken();
    if (!clip) return box.ask("Record or choose a voice first.");
    try {
      show(await api.identify(clip, { top: 5 }));
    } catch (problem) {
      result.fail(problem, "No answer");
    }
  }

  /** @param {any} found */
  function show(found) {
    if (!found.people) {
      result.show("warn", "Nobody is enrolled yet", h("p", {}, "There is nobody to recognise. ", h("a", { href: "#/enrol" }, "Enrol somebody first"), "."));
      return;
    }
    const rows = found.candidates.map((/** @type {any} */ one) => share(one.name, one.probability, one.name === found.name ? "chosen" : ""));
    if (found.others > LEAST) rows.push(share("Somebody else enrolled", found.others, "rest"));
    rows.push(share("Nobody enrolled", found.nobody, "rest"));
    result.show(
      mood(found.verdict),
      headline(found, { known: `This is ${found.name}`, unknown: "Unknown: nobody who is enrolled" }),
      h("p", { class: "reason" }, sentence(found.reason)),
      h("ol", { class: "matches", "aria-label": "How likely it is" }, rows),
      facts([
        ["Strangers taken for somebody", `${found.extrapolated ? "about" : "at most"} ${rate(found.fpir)}${found.extrapolated ? " (extrapolated)" : ""}`],
        ["People enrolled", found.people.toLocaleString("en-GB")],
        ["Speech heard", seconds(found.speech)],
      ]),
      warned(found.warnings),
    );
  }

  root.append(
    h("h1", {}, "Who is this?"),
    h("p", { class: "lead" }, "One recording, compared with everybody who is enrolled. “Unknown” is an answer too."),
    h("div", { class: "card" }, box.element, h("div", { class: "row" }, actor("Find out", ask, { class: "main" }))),
    result.element,
  );
  return () => box.destroy();
}

/** A line of the list. @param {string} name @param {number} probability @param {string} kind */
function share(name, probability, kind) {
  const line = bar(name, kind);
  line.set(probability, percent(probability));
  return h("li", {}, line.element);
}
