// @ts-check
/**
 * Edits with words: what was done is announced, what could not be done is said where the reader is.
 */

import { sentence } from "../dom.js";

/** @typedef {import("./document.js").Document} Document */
/** @typedef {(edit: {edit: string, [field: string]: any}, done: string) => Promise<boolean>} Change */

/**
 * @param {Document} paper
 * @param {(text: string) => void} announce
 * @param {HTMLElement} notice where trouble is told
 * @returns {Change} makes an edit; whether it was made
 */
export function changer(paper, announce, notice) {
  return async (edit, done) => {
    try {
      const before = paper.names;
      const after = await paper.edit(edit);
      notice.textContent = "";
      const count = after.speakers.length;
      const people = count === before.length ? "" : ` There ${count === 1 ? "is 1 speaker" : `are ${count} speakers`} now.`;
      announce(done + people);
      return true;
    } catch (problem) {
      notice.textContent = sentence(/** @type {Error} */ (problem).message);
      return false;
    }
  };
}

/**
 * Draw anew without losing the reader's place: the control with the same data-key has the focus again.
 * @param {HTMLElement} root
 * @param {() => void} draw
 */
export function keepingFocus(root, draw) {
  const active = /** @type {HTMLElement | null} */ (document.activeElement);
  const key = active && root.contains(active) ? active.dataset.key : undefined;
  draw();
  if (key === undefined) return;
  const controls = /** @type {HTMLElement[]} */ ([...root.querySelectorAll("[data-key]")]);
  (controls.find((one) => one.dataset.key === key) ?? controls[0])?.focus();
}
