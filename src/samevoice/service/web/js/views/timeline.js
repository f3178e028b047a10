// @ts-check
/**
 * Who spoke when: upload a meeting, see it being heard, put right what was found, take it along.
 */

import { fill, h, sentence } from "../dom.js";
import { editor } from "../timeline/editor.js";
import { Jobs } from "../timeline/jobs.js";
import { upload } from "../timeline/upload.js";

const OPEN = "samevoice-recording"; // what is open in this tab, so that a reload shows it again

/**
 * @param {HTMLElement} root
 * @param {import("../app.js").Context} context
 */
export function view(root, context) {
  const place = h("section", { class: "view", id: "recording", "aria-label": "The recording" });
  let shown = sessionStorage.getItem(OPEN);
  let turn = 0;
  /** @type {(() => void) | null} */
  let leave = null;

  function close() {
    turn += 1;
    leave?.();
    leave = null;
    shown = null;
    place.replaceChildren();
    sessionStorage.removeItem(OPEN);
  }

  /** @param {{id: string, name: string}} job @param {boolean} wanted whether the reader asked for it just now */
  async function open(job, wanted) {
    close();
    const mine = turn;
    shown = job.id;
    sessionStorage.setItem(OPEN, job.id);
    const sheet = h("div", { class: "view" });
    place.replaceChildren(sheet);
    try {
      const left = await editor(sheet, context, job);
      if (mine !== turn) {
        left();
        return;
      }
      leave = left;
      if (wanted) goTo(sheet);
    } catch (problem) {
      if (mine === turn) fill(sheet, h("p", { class: "notice bad", role: "alert" }, sentence(/** @type {Error} */ (problem).message)));
    }
  }

  let again = shown; // what a reload shows, where the reader is
  const opened = (/** @type {{id: string, name: string}} */ job) => {
    const wanted = job.id !== again;
    again = null;
    open(job, wanted);
  };
  const jobs = new Jobs(context, { open: opened, gone: (id) => { if (id === shown) close(); } });
  jobs.wanted = shown;
  const started = (/** @type {{id: string}} */ job) => {
    jobs.wanted = job.id;
    jobs.ask();
  };
  fill(
    root,
    h("link", { rel: "stylesheet", href: "css/tables.css" }),
    h("h1", {}, "Who spoke when?"),
    h("p", { class: "lead" }, "Upload a meeting. See who speaks when, listen, put it right, and take it along."),
    upload(context, started),
    jobs.element,
    place,
  );
  jobs.ask();
  return () => {
    turn += 1;
    leave?.();
    jobs.destroy();
  };
}

/** Take the reader there. @param {HTMLElement} sheet */
function goTo(sheet) {
  const heading = sheet.querySelector("h2");
  heading?.focus({ preventScroll: true });
  heading?.scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}
