// @ts-check
/**
 * Enrol and log in: be known by your voice from one recording.
 */

import { h } from "../dom.js";
import { enrolling } from "../enrol/enrolling.js";
import { login } from "../enrol/login.js";

/** @param {HTMLElement} root @param {import("../app.js").Context} context */
export function view(root, context) {
  const second = login(context);
  const first = enrolling(context, second.begin);
  root.append(
    h("h1", {}, "Enrol and log in"),
    h("p", { class: "lead" }, "Read a few lines once. From then on your voice is recognised, whatever you say."),
    h("div", { class: "pair" }, first.element, second.element),
  );
  return () => {
    first.destroy();
    second.destroy();
  };
}
