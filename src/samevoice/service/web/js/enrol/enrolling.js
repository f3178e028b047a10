// @ts-check
/**
 * Enrol: a name, consent, one recording.
 */

import { recordBox } from "../components/recordbox.js";
import { list, problemWords, resultPlace } from "../components/result.js";
import { actor, field, fill, h, tick } from "../dom.js";
import { reading } from "./reading.js";

const CONSENT =
  "I agree that this service keeps a voiceprint of me (numbers computed from my voice, not the recording) to recognise me by my voice. I can have it deleted at any time.";
const ENOUGH = 5; // seconds of speech that make a good voiceprint
const KEPT = { "365": "one year", "30": "30 days", "": "until it is deleted" };

/**
 * @param {import("../app.js").Context} context
 * @param {(name: string) => void} proceed told who is enrolled when the reader goes on to log in
 */
export function enrolling({ api, me, announce }, proceed) {
  const result = resultPlace();
  const name = h("input", { name: "name", autocomplete: "name", maxlength: 200 });
  const agreed = h("input", { type: "checkbox", name: "consent" });
  const telephone = h("input", { type: "checkbox", name: "telephone", onchange: () => look() });
  const expires = h("select", { name: "expires", value: "365" }, Object.entries(KEPT).reverse().map(([days, words]) => h("option", { value: days }, words)));
  const text = h("div");
  const checked = h("div", { class: "checked" });
  const missing = h("p", { class: "notice bad", role: "alert" });
  const box = recordBox({ label: "Your voice", limits: me.limits, api, enough: ENOUGH, hint: "Press Record and read the text, or drop a recording here.", onchange: look });
  let looks = 0;
  reading().then((element) => fill(text, element));

  const channel = () => (telephone.checked ? "telephone" : undefined);

  /** Say at once whether a new recording will do; nothing is stored. */
  async function look() {
    const turn = (looks += 1);
    result.clear();
    fill(checked);
    const clip = box.clip;
    if (!clip || !name.value.trim() || me.role === "user") return;
    try {
      const found = await api.check(name.value.trim(), clip, { channel: channel() });
      if (turn !== looks) return;
      const words = found.usable ? "This recording will do." : "This recording will not do.";
      fill(checked, h("div", { class: `notice ${found.usable ? "good" : "warn"}` }, h("strong", {}, words), list(found.advice.map((/** @type {any} */ one) => one.sentence))));
      announce(words);
    } catch (problem) {
      if (turn === looks) fill(checked, h("div", { class: "notice warn" }, ...problemWords(/** @type {any} */ (problem))));
    }
  }

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
    looks += 1; // what is still being looked at comes too late
    fill(checked);
    try {
      const consent = `${CONSENT} (ticked on ${new Date().toISOString().slice(0, 10)})`;
      const { person, advice } = await api.enrol(who, clip, { consent, expires_days: Number(expires.value) || undefined, channel: channel() });
      result.show(
        "good",
        `${person.name} is enrolled`,
        list(advice.map((/** @type {any} */ one) => one.sentence)),
        h("div", { class: "row" }, h("button", { type: "button", class: "main", onclick: () => proceed(person.name) }, "Now log in")),
      );
    } catch (problem) {
      result.fail(problem, "Not enrolled");
    }
  }

  const element = h(
    "section",
    { class: "card", id: "enrolling", "aria-labelledby": "enrolling-title" },
    h("h2", { id: "enrolling-title" }, "1. Enrol once"),
    me.role === "user" ? h("p", { class: "notice warn" }, `Your key (${me.name}) may log in but not enrol. Ask for a key with the role “enroller”.`) : null,
    field("Name", name, "As you want to be greeted."),
    tick(agreed, CONSENT, " ", h("span", { class: "hint" }, "These words are kept with your voiceprint.")),
    field("Keep the voiceprint for", expires),
    tick(telephone, "This is a telephone recording"),
    text,
    box.element,
    checked,
    missing,
    h("div", { class: "row" }, actor("Enrol", enrol, { class: "main" })),
    result.element,
  );
  return { element, destroy: box.destroy };
}
