// @ts-check
/**
 * Take the turns along, in every format.
 */

import { save } from "../api.js";
import { actor, h } from "../dom.js";

/** Names of the service's formats, and what people call them. */
const FORMATS = {
  rttm: "RTTM", json: "JSON", csv: "CSV", srt: "SRT subtitles", vtt: "WebVTT subtitles", textgrid: "Praat TextGrid",
  audacity: "Audacity labels", elan: "ELAN",
};

/**
 * @param {import("./document.js").Document} paper
 * @param {(problem: unknown) => void} complain
 * @returns {HTMLElement}
 */
export function exports(paper, complain) {
  const buttons = Object.entries(FORMATS).map(([name, words]) =>
    actor(words, async () => {
      try {
        save(await paper.api.exportJob(paper.id, name));
      } catch (problem) {
        complain(problem);
      }
    }, { "data-format": name }),
  );
  return h(
    "section",
    { class: "card", "aria-labelledby": "export-title" },
    h("h2", { id: "export-title" }, "Export"),
    h("p", { class: "hint" }, "The turns as they are now, with your edits."),
    h("div", { class: "row", id: "formats" }, buttons),
  );
}
