// @ts-check
/**
 * What may be done with the chosen turns or seconds: give them to a speaker, say whether two are one person.
 */

import { actor, field, fill, h } from "../dom.js";
import { letter } from "./marks.js";
import { clock } from "./words.js";

const SOMEBODY_NEW = ""; // no speaker may be called so

/**
 * @param {import("./document.js").Document} paper
 * @param {import("./changing.js").Change} change
 * @param {() => void} play what is chosen
 * @returns {{element: HTMLElement, give: (name: string) => Promise<void>}}
 */
export function choosing(paper, change, play) {
  const told = h("p", { id: "chosen" });
  const start = h("input", { type: "number", min: 0, step: "any", name: "start" });
  const end = h("input", { type: "number", min: 0, step: "any", name: "end" });
  const who = h("select", { name: "speaker" });
  const fresh = h("input", { name: "newcomer", maxlength: 200, autocomplete: "off" });
  const naming = field("Name of somebody new", fresh);
  const form = h(
    "form",
    { class: "fields", onsubmit: submitted },
    field("From second", start),
    field("To second", end),
    field("Give to", who),
    naming,
    h("div", { class: "row" }, h("button", { type: "submit", id: "give" }, "Give these seconds"), actor("Play", play)),
  );
  const same = actor("Same person", () => pair("together", "is one person; the speakers are told apart anew."), { id: "same-person" });
  const two = actor("Two people", () => pair("apart", "are two people; the speakers are told apart anew."), { id: "two-people" });
  who.addEventListener("change", refresh);

  /** @param {Event} event */
  async function submitted(event) {
    event.preventDefault();
    const name = who.value === SOMEBODY_NEW ? fresh.value.trim() : who.value;
    if (!name) {
      fresh.focus();
      return;
    }
    const last = Math.min(Number(end.value), paper.result.extent); // what is shown is rounded
    await give(name, Number(start.value), last);
  }

  /** @param {string} name @param {number} [from] @param {number} [to] */
  async function give(name, from = paper.span?.start ?? 0, to = paper.span?.end ?? 0) {
    const done = `${clock(from)} to ${clock(to)} are ${name}'s now.`;
    if (await change({ edit: "assign", start: from, end: to, speaker: name }, done)) fresh.value = "";
  }

  /** @param {string} edit @param {string} words */
  async function pair(edit, words) {
    const [one, other] = [...paper.chosen].sort((a, b) => a - b).map((at) => middle(paper.turns[at]));
    await change({ edit, one, other }, `Who speaks at ${clock(one)} and at ${clock(other)} ${words}`);
  }

  function refresh() {
    naming.hidden = who.value !== SOMEBODY_NEW;
    same.disabled = two.disabled = paper.chosen.length !== 2;
  }

  function draw() {
    const kept = who.options.length ? who.value : null;
    fill(
      who,
      paper.names.map((name, place) => h("option", { value: name }, `${letter(place)} · ${name}`)),
      h("option", { value: SOMEBODY_NEW }, "somebody new"),
    );
    who.value = paper.names.includes(kept) || kept === SOMEBODY_NEW ? kept : (paper.names[0] ?? SOMEBODY_NEW);
    told.textContent = words(paper);
    start.value = paper.span ? paper.span.start.toFixed(2) : "";
    end.value = paper.span ? paper.span.end.toFixed(2) : "";
    form.hidden = !paper.span;
    refresh();
  }

  for (const name of ["change", "choice"]) paper.addEventListener(name, draw);
  draw();
  const element = h(
    "section",
    { class: "card", "aria-labelledby": "chosen-title" },
    h("h2", { id: "chosen-title" }, "Chosen"),
    told,
    form,
    h("div", { class: "row" }, same, two),
  );
  return { element, give };
}

/** A moment at which a turn's speaker is surely speaking. @param {import("./words.js").Turn} turn */
const middle = (turn) => (turn.start + turn.end) / 2;

/** @param {import("./document.js").Document} paper */
function words(paper) {
  const turns = paper.chosen.map((at) => paper.turns[at]);
  const named = turns.map((turn) => `${turn.speaker} at ${clock(turn.start)}`);
  if (named.length === 2) return `${named[0]} and ${named[1]}. Is it one person, or two?`;
  if (named.length === 1) return `${named[0]}. Choose a second turn (with Shift, or in the table) to compare them.`;
  if (paper.span) return `${clock(paper.span.start)} to ${clock(paper.span.end)}, as drawn.`;
  return "Nothing yet. Choose a turn in the lanes or in the table, or draw seconds on the waveform.";
}
