// @ts-check
/**
 * Who is enrolled: to find, to rename, to take along, to take back, to forget.
 */

import { save } from "../api.js";
import { actor, field, fill, h, sentence } from "../dom.js";
import { asked } from "../timeline/asking.js";
import { keepingFocus } from "../timeline/changing.js";
import { counted, lasting } from "../timeline/words.js";

const PAGE = 20;
const PATIENCE = 250; // milliseconds after the last key before it is searched
const DAY = { dateStyle: /** @type {"medium"} */ ("medium") };

/** @typedef {{id: number, model: string, seconds: number, consent: string | null, expires: string | null, kept_audio: boolean}} Voiceprint */
/** @typedef {{id: string, name: string, created: string, enrolled: boolean, voiceprints: Voiceprint[]}} Person */

/**
 * @param {import("../app.js").Context} context
 * @returns {HTMLElement}
 */
export function people({ api, announce }) {
  /** Where the pages before this one began. @type {(string | undefined)[]} */
  let starts = [undefined];
  let turn = 0;
  let timer = 0;
  /** @type {string | null} */
  let next = null;
  const search = h("input", { type: "search", name: "pattern", oninput: typed, autocomplete: "off", maxlength: 100 });
  const list = h("ul", { class: "people", id: "people" });
  const where = h("p", { class: "hint", role: "status" });
  const notice = h("p", { class: "notice bad", role: "alert" });
  const back = h("button", { type: "button", onclick: () => move(-1) }, "Page before");
  const on = h("button", { type: "button", onclick: () => move(1) }, "Next page");
  const pages = h("div", { class: "row" }, back, on);

  function typed() {
    clearTimeout(timer);
    timer = setTimeout(() => { starts = [undefined]; load(); }, PATIENCE);
  }

  /** @param {number} step */
  function move(step) {
    starts = step > 0 ? [...starts, next ?? undefined] : starts.slice(0, -1);
    load();
  }

  async function load() {
    const mine = (turn += 1);
    await tried(async () => {
      const found = await api.people({ pattern: search.value.trim(), limit: PAGE, after: starts.at(-1) });
      if (mine !== turn) return;
      next = found.next;
      back.disabled = starts.length === 1;
      on.disabled = !next;
      pages.hidden = back.disabled && on.disabled;
      const first = (starts.length - 1) * PAGE + 1;
      where.textContent = found.people.length
        ? `${first} to ${first + found.people.length - 1} of ${counted(found.total, "person", "people")}`
        : search.value.trim() ? "Nobody is called so." : "Nobody is enrolled yet.";
      keepingFocus(list, () => fill(list, found.people.map(row)));
    });
  }

  /** @param {() => Promise<void>} act what it cannot do is told */
  async function tried(act) {
    notice.textContent = "";
    try {
      await act();
    } catch (problem) {
      notice.textContent = sentence(/** @type {Error} */ (problem).message);
    }
  }

  /** @param {() => Promise<any>} act @param {string} done */
  const change = (act, done) => tried(async () => {
    await act();
    announce(done);
    await load();
  });

  /** @param {Person} person */
  async function forget(person) {
    if (await asked(`Forget ${person.name}?`, losses(person))) {
      await change(() => api.remove(person.name), `${person.name} is forgotten.`);
    }
  }

  async function purge() {
    await tried(async () => {
      const { removed } = await api.purge();
      announce(`${counted(removed, "voiceprint")} had expired and ${removed === 1 ? "is" : "are"} removed.`);
      await load();
    });
  }

  /** @param {Person} person */
  function row(person) {
    const input = h("input", {
      value: person.name, maxlength: 200, autocomplete: "off", spellcheck: "false",
      "aria-label": `Name of ${person.name}`, "data-key": `name-${person.id}`,
      onkeydown: (/** @type {KeyboardEvent} */ event) => { if (event.key === "Escape") input.value = person.name; },
    });
    const rename = () => {
      const name = input.value.trim();
      if (name && name !== person.name) return change(() => api.rename(person.name, name), `${person.name} is ${name} now.`);
      input.value = person.name;
      return Promise.resolve();
    };
    const act = (/** @type {string} */ words, /** @type {() => Promise<void>} */ does, kind = "") =>
      actor(words, does, { class: kind, "aria-label": `${words}: ${person.name}`, "data-key": `${words}-${person.id}` });
    return h(
      "li",
      { "data-person": person.id },
      h("form", { class: "row", onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); rename(); } }, input, act("Rename", rename)),
      h("p", {}, h("strong", {}, person.enrolled ? "Enrolled" : "Not enrolled"), ` since ${day(person.created)}; ${sum(person)}`),
      h("ul", { class: "prints" }, person.voiceprints.map((one) => h("li", {}, ...facts(one)))),
      h(
        "div",
        { class: "row" },
        act("Export", () => tried(async () => save(await api.exportPerson(person.name)))),
        act("Undo the last enrolment", () => change(() => api.undo(person.name), `The last enrolment of ${person.name} is taken back.`)),
        act("Delete", () => forget(person), "danger"),
      ),
    );
  }

  load();
  return h(
    "section",
    { class: "card", "aria-labelledby": "people-title" },
    h("h2", { id: "people-title" }, "People"),
    h("div", { class: "row end" }, field("Search by name, or part of one", search), actor("Remove what has expired", purge, { id: "purge" })),
    notice,
    where,
    list,
    pages,
  );
}

/** @param {string} iso */
const day = (iso) => new Date(iso).toLocaleDateString("en-GB", DAY);

/** @param {Person} person */
function sum({ voiceprints }) {
  const seconds = voiceprints.reduce((total, one) => total + one.seconds, 0);
  return `${counted(voiceprints.length, "voiceprint")}, ${lasting(seconds)} of speech`;
}

/** Lines about a voiceprint. @param {Voiceprint} one @returns {(Node | string)[]} */
function facts(one) {
  const expired = one.expires !== null && new Date(one.expires) < new Date();
  const until = one.expires === null ? "never expires" : `${expired ? "expired" : "expires"} on ${day(one.expires)}`;
  const kept = one.kept_audio ? ", sound kept" : "";
  const consent = one.consent === null ? "no consent on record" : `consent: ${one.consent}`;
  return [`${lasting(one.seconds)}, ${one.model.split("@")[0]}${kept}; ${consent}; `, expired ? h("strong", {}, until) : until];
}

/** What is gone when a person is. @param {Person} person */
function losses(person) {
  const kept = person.voiceprints.filter((one) => one.kept_audio).length;
  return [
    `${sum(person)}, with the key that sealed them: no backup without the key file brings them back`,
    ...(kept ? [`the kept sound of ${counted(kept, "recording")}`] : []),
    "the consent that was written down, and the name in all remembered recordings",
    "whoever this is must enrol anew to be recognised; that it was deleted stays in the record of events, without the name",
  ];
}
