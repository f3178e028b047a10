// @ts-check
/**
 * One recording, put right: waveform, lanes, speakers, turns, export.
 */

import { actor, fill, h, sentence } from "../dom.js";
import { changer } from "./changing.js";
import { choosing } from "./choosing.js";
import { Document } from "./document.js";
import { exports } from "./exports.js";
import { Lanes } from "./lanes.js";
import { Player } from "./player.js";
import { speakers } from "./speakers.js";
import { table } from "./table.js";
import { counted, lasting } from "./words.js";

/**
 * Show what was found in a recording.
 * @param {HTMLElement} root
 * @param {import("../app.js").Context} context
 * @param {{id: string, name: string}} job
 * @returns {Promise<() => void>} what to do when it is left
 */
export async function editor(root, { api, announce }, job) {
  const paper = new Document(api, job.id, await api.result(job.id));
  const player = new Player(api, job.id, Math.max(paper.result.extent, 0.1));
  const notice = h("p", { class: "notice bad", role: "alert" });
  const complain = (/** @type {unknown} */ problem) => { notice.textContent = sentence(/** @type {Error} */ (problem).message); };
  const change = changer(paper, announce, notice);
  const chosen = choosing(paper, change, play);
  const lanes = new Lanes(paper, player, { play, give: chosen.give, announce });

  /** Play the chosen seconds, or pause; without any, go on from where it is. */
  async function play() {
    try {
      if (player.playing) player.pause();
      else await player.play(paper.span?.start, paper.span?.end);
    } catch (problem) {
      complain(problem);
    }
  }

  /** @param {number} at */
  async function playTurn(at) {
    player.pause();
    paper.choose(at);
    player.reveal(paper.turns[at].start, paper.turns[at].end);
    await play();
  }

  const undo = actor("Undo", async () => { if (paper.result.undo) await change({ edit: "undo" }, "Undone."); }, { id: "undo" });
  const redo = actor("Redo", async () => { if (paper.result.redo) await change({ edit: "redo" }, "Done again."); }, { id: "redo" });
  const state = h("span", { class: "hint" });
  const facts = h("p", { class: "lead" });
  const warnings = h("ul", { class: "notice warn" });
  const zoom = h("input", { type: "range", min: 0, max: 1, step: 0.05, value: 0, oninput: () => player.zoom(Number(zoom.value)) });
  const toggle = h("button", { type: "button", onclick: play, id: "play" }, "Play");

  function draw() {
    const { result, turns, names, busy } = paper;
    // Not disabled: the button that was pressed would lose the focus.
    undo.setAttribute("aria-disabled", String(!result.undo));
    redo.setAttribute("aria-disabled", String(!result.redo));
    state.textContent = busy ? "Working…" : "Every edit is kept at once.";
    facts.textContent = `${lasting(result.extent)}, ${counted(names.length, "speaker")}, ${counted(turns.length, "turn")}`;
    warnings.hidden = !result.warnings.length;
    fill(warnings, result.warnings.map((warning) => h("li", {}, sentence(warning))));
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    const typing = event.target instanceof HTMLInputElement && !["checkbox", "range"].includes(event.target.type);
    if (typing || !(event.ctrlKey || event.metaKey) || event.altKey) return;
    const letter = event.key.toLowerCase();
    const edit = letter === "y" || (letter === "z" && event.shiftKey) ? redo : letter === "z" ? undo : null;
    if (!edit) return;
    event.preventDefault();
    edit.click();
  }

  for (const name of ["change", "busy"]) paper.addEventListener(name, draw);
  paper.addEventListener("change", () => player.clear());
  player.addEventListener("time", () => { toggle.textContent = player.playing ? "Pause" : "Play"; });
  player.addEventListener("mute", () => complain(new Error("The sound of this recording cannot be played.")));
  player.drawing((span) => paper.chooseSpan(span));
  addEventListener("keydown", key);
  draw();
  fill(
    root,
    h("header", {}, h("h2", { tabindex: "-1" }, job.name), facts),
    warnings,
    notice,
    h("div", { class: "row" }, toggle, h("label", { class: "zoom" }, "Zoom", zoom), undo, redo, state),
    h("div", { class: "stage" }, player.element, lanes.element),
    h("div", { class: "pair" }, chosen.element, speakers(paper, change)),
    table(paper, playTurn),
    exports(paper, complain),
  );
  player.show().catch(complain);
  lanes.draw();
  return () => {
    removeEventListener("keydown", key);
    lanes.destroy();
    player.destroy();
  };
}
