// @ts-check
/**
 * Who spoke when in one recording, as edited so far, and which turns are chosen.
 *
 * The service holds the truth: every edit goes there, and what comes back is shown. It fires "change" when the turns
 * did, "choice" when another turn is chosen, "busy" before and after an edit.
 */

import { letter } from "./marks.js";

/** @typedef {import("./words.js").Turn} Turn */
/**
 * @typedef {{recording: string, extent: number, turns: Turn[], undo: boolean, redo: boolean, warnings: string[],
 *   speakers: {name: string, seconds: number, known: boolean}[], counts: {speakers: number, probability: number}[]}} Result
 */

/** One recording that is put right. */
export class Document extends EventTarget {
  #after = Promise.resolve();

  /** @param {import("../api.js").Api} api @param {string} id of the job @param {Result} result */
  constructor(api, id, result) {
    super();
    this.api = api;
    this.id = id;
    this.result = result;
    this.busy = 0;
    /** Places of the chosen turns in `turns`, at most two, the one chosen last at the end. @type {number[]} */
    this.chosen = [];
    /** Seconds that are chosen: of the turn chosen last, or drawn on the waveform. @type {{start: number, end: number} | null} */
    this.span = null;
  }

  get turns() { return this.result.turns; }
  get names() { return this.result.speakers.map((one) => one.name); }

  /** The turn chosen last. @returns {Turn | null} */
  get current() { return this.turns[this.chosen.at(-1) ?? -1] ?? null; }

  /** @param {string} name */
  place(name) { return this.names.indexOf(name); }

  /** A speaker in words. @param {string} name */
  called(name) { return `${letter(this.place(name))}, ${name}`; }

  /**
   * Choose a turn.
   * @param {number} at its place
   * @param {boolean} [also] beside the one chosen before
   */
  choose(at, also = false) {
    const others = this.chosen.filter((one) => one !== at);
    this.chosen = also ? [...others.slice(-1), at] : [at];
    this.span = { start: this.turns[at].start, end: this.turns[at].end };
    this.dispatchEvent(new Event("choice"));
  }

  /** Choose no turn, and some seconds or none. @param {{start: number, end: number} | null} span */
  chooseSpan(span) {
    this.chosen = [];
    this.span = span;
    this.dispatchEvent(new Event("choice"));
  }

  /** Take a turn out of the choice. @param {number} at */
  drop(at) {
    this.chosen = this.chosen.filter((one) => one !== at);
    this.span = this.current && { start: this.current.start, end: this.current.end };
    this.dispatchEvent(new Event("choice"));
  }

  /**
   * Change who spoke when; edits are made one after the other.
   * @param {{edit: string, [field: string]: any}} edit
   * @returns {Promise<Result>} as it is after it
   */
  async edit(edit) {
    const done = this.#after.then(() => this.api.edit(this.id, edit));
    this.#after = done.then(() => undefined, () => undefined);
    this.#working(1);
    try {
      this.#show(await done);
      return this.result;
    } finally {
      this.#working(-1);
    }
  }

  /** @param {Result} result */
  #show(result) {
    const middles = this.chosen.map((at) => (this.turns[at].start + this.turns[at].end) / 2);
    this.result = result;
    const found = middles.map((middle) => result.turns.findIndex((turn) => turn.start <= middle && middle < turn.end));
    this.chosen = [...new Set(found.filter((at) => at >= 0))];
    this.span = this.current && { start: this.current.start, end: this.current.end };
    this.dispatchEvent(new Event("change"));
  }

  /** @param {number} step */
  #working(step) {
    this.busy += step;
    this.dispatchEvent(new Event("busy"));
  }
}
