// @ts-check
/**
 * Who did what to the people, and whether the record of it is whole.
 */

import { actor, fill, h, sentence } from "../dom.js";
import { moment } from "../timeline/words.js";

const LAST = 50;

/**
 * @param {import("../app.js").Context} context
 * @returns {HTMLElement}
 */
export function events({ api }) {
  const body = h("tbody", {});
  const outcome = h("p", { id: "record", role: "status" });
  const heads = ["Number", "When", "Who", "What", "Person"].map((text) => h("th", { scope: "col" }, text));

  async function load() {
    try {
      const found = await api.audit({ last: LAST });
      fill(body, [...found.events].reverse().map(row));
    } catch (problem) {
      tell(/** @type {Error} */ (problem).message, "bad");
    }
  }

  async function check() {
    try {
      const { events: count, broken } = await api.auditCheck();
      if (broken === null) tell(`${count.toLocaleString("en-GB")} events, all as they were written`, "good");
      else tell(`the record is broken at number ${broken}: it was altered, cut or restored in part; compare it with a backup`, "bad");
    } catch (problem) {
      tell(/** @type {Error} */ (problem).message, "bad");
    }
    await load();
  }

  /** @param {string} words @param {"good" | "bad"} kind */
  function tell(words, kind) {
    outcome.className = `notice ${kind}`;
    outcome.textContent = sentence(words);
  }

  load();
  return h(
    "section",
    { class: "card", "aria-labelledby": "events-title" },
    h("h2", { id: "events-title" }, "Events"),
    h("p", { class: "hint" }, `The last ${LAST}, the newest first. People are named by their ids, which outlive their names.`),
    h("div", { class: "row" }, actor("Check the record", check, { id: "check" }), actor("Look again", load)),
    outcome,
    h(
      "div",
      { class: "scrolling", tabindex: "0", role: "region", "aria-label": "Table of events" },
      h("table", { id: "events" }, h("thead", {}, h("tr", {}, heads)), body),
    ),
  );
}

/** @param {{seq: number, at: string, actor: string, action: string, person: string | null}} event */
function row(event) {
  const cells = [event.seq, moment(event.at), event.actor, event.action, event.person ?? ""];
  return h("tr", {}, cells.map((cell) => h("td", {}, cell)));
}
