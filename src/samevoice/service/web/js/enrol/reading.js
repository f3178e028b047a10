// @ts-check
/**
 * Something to read aloud, in the reader's language where we have it.
 */

import { field, h } from "../dom.js";

/** @typedef {Record<string, {name: string, texts: string[]}>} Texts */

/** @returns {Promise<HTMLElement>} */
export async function reading() {
  /** @type {Texts} */
  let texts;
  try {
    texts = await (await fetch("texts.json")).json();
  } catch {
    return h("p", { class: "hint" }, "Read aloud whatever is at hand, or tell what you did today.");
  }
  let language = navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag in texts) ?? "en";
  let turn = 0;
  const words = h("blockquote", { class: "text", "aria-live": "polite" });
  const options = Object.entries(texts).map(([tag, { name }]) => h("option", { value: tag, lang: tag }, name));
  const choice = h("select", { name: "language", value: language, onchange: () => { language = choice.value; show(); } }, options);
  const next = h("button", { type: "button", class: "quiet", onclick: () => { turn += 1; show(); } }, "Another text");

  function show() {
    const { texts: some } = texts[language];
    words.lang = language;
    words.textContent = some[turn % some.length];
  }

  show();
  return h("div", { class: "reading" }, h("p", { class: "hint" }, "Read this aloud, as you would tell it to a friend:"), words, h("div", { class: "row end" }, field("Language", choice), next));
}
