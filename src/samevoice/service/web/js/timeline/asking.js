// @ts-check
/**
 * A question before something is lost for good, which says what is.
 */

import { h, unique } from "../dom.js";

/**
 * @param {string} question
 * @param {string[]} lost
 * @returns {Promise<boolean>} whether the reader wants it
 */
export function asked(question, lost) {
  return new Promise((done) => {
    const [title, told] = [unique("question"), unique("lost")];
    const dialog = h(
      "dialog",
      { class: "asking", "aria-labelledby": title, "aria-describedby": told },
      h("h2", { id: title }, question),
      h("div", { id: told }, h("p", {}, "This is lost for good:"), h("ul", {}, lost.map((one) => h("li", {}, one)))),
      h(
        "div",
        { class: "row" },
        h("button", { type: "button", autofocus: true, onclick: () => dialog.close("no") }, "Keep it"),
        h("button", { type: "button", class: "danger", onclick: () => dialog.close("yes") }, "Delete for good"),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      done(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
