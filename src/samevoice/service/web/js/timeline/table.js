// @ts-check
/**
 * The turns as a table, a page at a time: everything that the lanes show and do, in words.
 */

import { fill, h } from "../dom.js";
import { percent } from "../words.js";
import { keepingFocus } from "./changing.js";
import { badge } from "./marks.js";
import { clock, counted, lasting, unsure } from "./words.js";

const ROWS = 25; // of a page

/**
 * @param {import("./document.js").Document} paper
 * @param {(at: number) => void} play
 * @returns {HTMLElement}
 */
export function table(paper, play) {
  let first = 0;
  const only = h("input", { type: "checkbox", onchange: () => { first = 0; draw(); } });
  const body = h("tbody", {});
  const where = h("p", { class: "hint", role: "status" });
  const earlier = h("button", { type: "button", onclick: () => turn(-ROWS) }, "Earlier turns");
  const later = h("button", { type: "button", onclick: () => turn(ROWS) }, "Later turns");
  const heads = ["Choose", "Play", "Length", "Speaker", "How sure"].map((text) => h("th", { scope: "col" }, text));

  const listed = () => {
    const places = paper.turns.map((_, at) => at);
    return only.checked ? places.filter((at) => unsure(paper.turns[at])) : places;
  };

  /** @param {number} step */
  function turn(step) {
    first += step;
    draw();
  }

  function draw() {
    const places = listed();
    first = Math.max(Math.min(first, Math.floor((places.length - 1) / ROWS) * ROWS), 0);
    keepingFocus(body, () => fill(body, places.slice(first, first + ROWS).map((at) => row(paper, at, play))));
    const last = Math.min(first + ROWS, places.length);
    where.textContent = places.length ? `Turns ${first + 1} to ${last} of ${counted(places.length, "turn")}` : "No turns.";
    earlier.disabled = first === 0;
    later.disabled = last === places.length;
  }

  paper.addEventListener("change", draw);
  paper.addEventListener("choice", () => {
    const at = listed().indexOf(paper.chosen.at(-1) ?? -1);
    const here = body.contains(document.activeElement); // whoever chooses in the table stays on its page
    if (at >= 0 && !here) first = Math.floor(at / ROWS) * ROWS;
    draw();
  });
  draw();
  return h(
    "section",
    { class: "card", "aria-labelledby": "turns-title" },
    h("h2", { id: "turns-title" }, "All turns"),
    h("label", { class: "tick" }, only, h("span", {}, "Only those that are unsure")),
    h(
      "div",
      { class: "scrolling", tabindex: "0", role: "region", "aria-label": "Table of turns" },
      h("table", { class: "turns" }, h("thead", {}, h("tr", {}, heads)), body),
    ),
    h("div", { class: "row" }, earlier, later, where),
  );
}

/**
 * @param {import("./document.js").Document} paper
 * @param {number} at
 * @param {(at: number) => void} play
 */
function row(paper, at, play) {
  const turn = paper.turns[at];
  const place = paper.place(turn.speaker);
  const told = `${turn.speaker}, ${clock(turn.start)} to ${clock(turn.end)}`;
  const box = h("input", {
    type: "checkbox",
    checked: paper.chosen.includes(at),
    "aria-label": `Choose ${told}`,
    "data-key": `choose-${turn.start}`,
    onchange: () => (box.checked ? paper.choose(at, true) : paper.drop(at)),
  });
  const button = h(
    "button",
    { type: "button", class: "quiet", "aria-label": `Play ${told}`, "data-key": `play-${turn.start}`, onclick: () => play(at) },
    `▶ ${clock(turn.start)}`,
  );
  return h(
    "tr",
    { "aria-current": paper.chosen.includes(at) && "true" },
    h("td", {}, h("label", { class: "target" }, box)),
    h("td", {}, button),
    h("td", {}, lasting(turn.end - turn.start)),
    h("td", {}, h("span", { class: "who" }, badge(place), turn.speaker)),
    h("td", {}, turn.confidence === null ? "not known" : sure(turn)),
  );
}

/** @param {import("./words.js").Turn} turn */
function sure(turn) {
  const share = percent(turn.confidence ?? 0);
  return unsure(turn) ? h("span", { class: "doubt" }, `? unsure, ${share}`) : share;
}
