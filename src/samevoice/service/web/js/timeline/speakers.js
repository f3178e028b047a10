// @ts-check
/**
 * The speakers of a recording: rename, merge, split, how many there are, and whom the gallery knows.
 */

import { actor, field, fill, h } from "../dom.js";
import { keepingFocus } from "./changing.js";
import { badge, letter } from "./marks.js";
import { counted, lasting, speakersInWords } from "./words.js";

/**
 * @param {import("./document.js").Document} paper
 * @param {import("./changing.js").Change} change
 * @returns {HTMLElement}
 */
export function speakers(paper, change) {
  const list = h("ul", { class: "speakers" });
  const likely = h("p", { id: "counts" });
  const number = h("input", { type: "number", min: 1, max: 1000, step: 1, required: true, name: "number" });
  const anew = h(
    "form",
    {
      class: "row end",
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        return apart(Number(number.value));
      },
    },
    field("Number of speakers", number),
    h("button", { type: "submit" }, "Tell apart anew"),
    actor("As many as there seem to be", () => apart(null)),
  );

  /** @param {number | null} count */
  async function apart(count) {
    await change({ edit: "speakers", number: count }, "The speakers are told apart anew.");
  }

  async function recognise() {
    const before = new Set(paper.names);
    if (!(await change({ edit: "names" }, "Looked up."))) return;
    const found = paper.names.filter((name) => !before.has(name));
    outcome.textContent = found.length ? `Known: ${found.join(", ")}.` : "Nobody else is known to the gallery.";
  }

  const outcome = h("p", { role: "status" });

  function draw() {
    likely.textContent = speakersInWords(paper.result.counts);
    number.value = String(paper.names.length || 1);
    keepingFocus(list, () => fill(list, paper.result.speakers.map((one) => person(paper, one, change))));
  }

  paper.addEventListener("change", draw);
  draw();
  return h(
    "section",
    { class: "card", "aria-labelledby": "speakers-title" },
    h("h2", { id: "speakers-title" }, "Speakers"),
    likely,
    list,
    anew,
    h("div", { class: "row" }, actor("Use names of enrolled people", recognise, { id: "names" }), outcome),
  );
}

/**
 * @param {import("./document.js").Document} paper
 * @param {{name: string, seconds: number}} one
 * @param {import("./changing.js").Change} change
 */
function person(paper, { name, seconds }, change) {
  const place = paper.place(name);
  const mine = letter(place);
  const input = h("input", {
    value: name, maxlength: 200, autocomplete: "off", spellcheck: "false", "aria-label": `Name of speaker ${mine}`,
    "data-key": `name-${mine}`,
    onchange: rename,
    onkeydown: (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Escape") input.value = name;
      if (event.key === "Enter") input.blur();
    },
  });
  const others = paper.names.filter((other) => other !== name);
  const other = h(
    "select",
    { "aria-label": `Merge ${name} with`, "data-key": `other-${mine}` },
    others.map((one) => h("option", { value: one }, `${letter(paper.place(one))} · ${one}`)),
  );
  const turns = paper.turns.filter((turn) => turn.speaker === name).length;

  async function rename() {
    const wanted = input.value.trim();
    if (!wanted || wanted === name) input.value = name;
    else if (!(await change({ edit: "rename", speaker: name, name: wanted }, `${name} is ${wanted} now.`))) input.value = name;
  }

  return h(
    "li",
    {},
    h("div", { class: "row" }, badge(place), input, h("span", { class: "hint" }, `${lasting(seconds)} in ${counted(turns, "turn")}`)),
    h(
      "div",
      { class: "row" },
      others.length > 0 && other,
      others.length > 0 && actor("Merge", async () => {
        await change({ edit: "merge", one: name, other: other.value }, `${name} and ${other.value} are one.`);
      }, { "aria-label": `Merge ${name} with the chosen one`, "data-key": `merge-${mine}` }),
      actor("Split in two", async () => {
        await change({ edit: "split", speaker: name }, `${name} is split in two.`);
      }, { "aria-label": `Split ${name} in two`, "data-key": `split-${mine}` }),
    ),
  );
}
