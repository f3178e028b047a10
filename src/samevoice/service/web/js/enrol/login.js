// @ts-check
/**
 * Log in: a name, one recording, and digits to read if they are wanted.
 */

import { recordBox } from "../components/recordbox.js";
import { decisionDetails, headline, problemWords, resultPlace } from "../components/result.js";
import { actor, field, fill, h, tick } from "../dom.js";
import { seconds } from "../words.js";

const ENOUGH = 3; // seconds of speech

/** @param {import("../app.js").Context} context */
export function login({ api, me }) {
  const result = resultPlace();
  const name = h("input", { name: "login-name", autocomplete: "username", maxlength: 200, onchange: () => pose() });
  const wanted = h("input", { type: "checkbox", name: "digits", onchange: () => pose() });
  const digits = h("div", { class: "digits", "aria-live": "polite" });
  const missing = h("p", { class: "notice bad", role: "alert" });
  const box = recordBox({ label: "Your voice, again", limits: me.limits, api, enough: ENOUGH, hint: "Press Record and say something new, or drop a recording here.", onchange: () => result.clear() });
  /** @type {any} */
  let challenge = null;
  let poses = 0;

  /** Get digits to read, where they are wanted. */
  async function pose() {
    const turn = (poses += 1);
    challenge = null;
    fill(digits);
    if (!wanted.checked) return;
    const who = name.value.trim();
    if (!who) return fill(digits, h("p", { class: "hint" }, "Give your name, and the digits come."));
    try {
      const posed = await api.challenge(who);
      if (turn !== poses) return;
      challenge = posed;
      fill(digits, h("p", { class: "hint" }, "Read these aloud:"), h("p", { class: "number" }, posed.digits));
    } catch (problem) {
      if (turn === poses) fill(digits, ...problemWords(/** @type {any} */ (problem)));
    }
  }

  async function enter() {
    missing.textContent = "";
    const who = name.value.trim();
    if (!who) {
      missing.textContent = "Give your name first.";
      return name.focus();
    }
    const clip = box.taken();
    if (!clip) return box.ask("Record or choose your voice first.");
    try {
      const found = await api.login(who, clip, { challenge: challenge?.challenge });
      const [before, now] = found.speech;
      const spoken = `${seconds(now)} now${before === null ? "" : `, ${seconds(before)} when enrolled`}`;
      result.show(...told(found), ...decisionDetails(found, spoken));
    } catch (problem) {
      result.fail(problem, "Not logged in");
    }
    if (challenge) pose(); // each is good for one attempt
  }

  const element = h(
    "section",
    { class: "card", id: "login", "aria-labelledby": "login-title" },
    h("h2", { id: "login-title" }, "2. Log in"),
    h("p", { class: "notice" }, h("strong", {}, "A voice is not a password on its own. "), "It can be recorded or imitated: ask for something else beside it wherever something is at stake."),
    field("Your name", name),
    tick(wanted, "Give me digits to read. ", h("span", { class: "hint" }, "No machine checks here whether you said them: they help where a person listens.")),
    digits,
    box.element,
    missing,
    h("div", { class: "row" }, actor("Log in", enter, { class: "main" })),
    result.element,
  );
  return {
    element,
    destroy: box.destroy,
    /** Go on here. @param {string} who */
    begin(who) {
      name.value = who;
      pose();
      element.scrollIntoView({ block: "start" });
      name.focus({ preventScroll: true });
    },
  };
}

/** Mood and headline. @param {any} found @returns {["good" | "bad" | "warn", string]} */
function told(found) {
  if (found.welcome) return ["good", `Welcome, ${found.person}`];
  if (found.outcome === "replayed") return ["bad", "Not let in: this recording was heard before"];
  if (found.outcome === "speak") return ["warn", found.speech[1] < 0.05 ? "Please speak: nobody was heard" : "Please speak longer"];
  return found.verdict === "unsure" ? ["warn", headline(found, {})] : ["bad", "Not recognised"];
}
