// @ts-check
/**
 * The caller's recordings: those being heard, with how long it takes, and those that are done.
 */

import { actor, fill, h, sentence } from "../dom.js";
import { asked } from "./asking.js";
import { keepingFocus } from "./changing.js";
import { lasting, moment, standing } from "./words.js";

const SOON = 1_000; // milliseconds between questions while something is heard
const LATER = 15_000;

/** @typedef {{id: string, name: string, state: string, progress: number, eta: number | null, created: string,
 *   expires: string, problem: any, seconds: number | null}} Job */

/** The list of jobs; asks again while the page is seen. */
export class Jobs {
  #timer = 0;
  #left = false;
  /** @type {Map<string, string>} states that were told */
  #known = new Map();

  /**
   * @param {import("../app.js").Context} context
   * @param {{open: (job: Job) => void, gone: (id: string) => void}} acts
   */
  constructor({ api, announce }, acts) {
    this.api = api;
    this.announce = announce;
    this.acts = acts;
    /** The job to open as soon as it is done. @type {string | null} */
    this.wanted = null;
    this.list = h("ul", { class: "jobs", id: "jobs" });
    this.notice = h("p", { class: "notice bad", role: "alert" });
    this.element = h(
      "section",
      { class: "card", "aria-labelledby": "jobs-title" },
      h("h2", { id: "jobs-title" }, "Your recordings"),
      this.notice,
      this.list,
    );
    this.seen = () => { if (!document.hidden) this.ask(); };
    document.addEventListener("visibilitychange", this.seen);
  }

  destroy() {
    this.#left = true;
    clearTimeout(this.#timer);
    document.removeEventListener("visibilitychange", this.seen);
  }

  /** Ask what there is, and again later. */
  async ask() {
    clearTimeout(this.#timer);
    let pause = LATER;
    try {
      const jobs = /** @type {Job[]} */ (await this.api.jobs());
      if (this.#left) return;
      this.notice.textContent = "";
      this.#show(jobs);
      if (jobs.some((job) => job.state === "waiting" || job.state === "running")) pause = SOON;
    } catch (problem) {
      if (this.#left) return;
      this.notice.textContent = sentence(/** @type {Error} */ (problem).message);
    }
    clearTimeout(this.#timer);
    if (!document.hidden) this.#timer = setTimeout(() => this.ask(), pause);
  }

  /** @param {Job[]} jobs */
  #show(jobs) {
    this.element.hidden = !jobs.length;
    keepingFocus(this.list, () => fill(this.list, jobs.map((job) => this.#row(job))));
    for (const job of jobs) {
      const before = this.#known.get(job.id);
      if (before && before !== job.state) this.announce(`${job.name}: ${standing(job)}`);
      this.#known.set(job.id, job.state);
    }
    const done = jobs.find((job) => job.id === this.wanted && job.state === "done");
    if (!done) return;
    this.wanted = null;
    this.acts.open(done);
  }

  /** @param {Job} job */
  #row(job) {
    const going = job.state === "waiting" || job.state === "running";
    const facts = [job.seconds === null ? null : lasting(job.seconds), `from ${moment(job.created)}`, `kept until ${moment(job.expires)}`];
    return h(
      "li",
      { "data-job": job.id },
      h("div", {}, h("strong", {}, job.name), h("span", { class: "hint" }, ` ${facts.filter(Boolean).join(", ")}`)),
      h("span", { class: `state ${job.state}` }, standing(job)),
      going && h("progress", { max: 1, value: job.progress, "aria-label": `${job.name}, heard so far` }),
      job.problem && h("p", { class: "notice bad" }, sentence(String(job.problem.detail ?? job.problem))),
      h(
        "div",
        { class: "row" },
        job.state === "done" && h("button", { type: "button", "data-key": `open-${job.id}`, "aria-label": `Open ${job.name}`, onclick: () => this.acts.open(job) }, "Open"),
        actor(going ? "Stop and delete" : "Delete", () => this.#remove(job), {
          class: "danger", "data-key": `delete-${job.id}`, "aria-label": `${going ? "Stop and delete" : "Delete"} ${job.name}`,
        }),
      ),
    );
  }

  /** @param {Job} job */
  async #remove(job) {
    const lost = ["the sound", "who spoke when, with all edits and names"];
    if (!(await asked(`Delete ${job.name}?`, lost))) return;
    try {
      await this.api.removeJob(job.id);
      this.acts.gone(job.id);
      this.announce(`${job.name} is deleted.`);
    } catch (problem) {
      this.notice.textContent = sentence(/** @type {Error} */ (problem).message);
      return;
    }
    await this.ask();
  }
}
