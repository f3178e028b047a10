// @ts-check
/**
 * What this browser keeps: its voiceprints, to take along or to delete.
 */

import { actor, fill, h } from "../dom.js";
import { seconds } from "../words.js";
import { dropCopy } from "./offline.js";
import { all, clear, remove } from "./store.js";

/** @param {import("./engine.js").Engine} engine @param {(text: string) => void} announce */
export function kept(engine, announce) {
  const list = h("ul", { class: "lines", "aria-label": "Voiceprints on this device" });
  const title = h("h2", { id: "kept-title", tabindex: "-1" }, "Kept on this device");
  const buttons = h("div", { class: "row" }, actor("Save all as a file", save), actor("Delete everything", forget, { class: "danger" }));

  /** Show what there is now. */
  async function show() {
    const [prints, card] = await Promise.all([all().catch(() => []), engine.ready.catch(() => null)]);
    fill(list, ...prints.map((print) => item(print, card?.fingerprint)));
    if (!prints.length) fill(list, h("li", {}, "No voiceprint."));
  }

  /** @param {import("./store.js").Voiceprint} print @param {string | undefined} model */
  function item({ name, seconds: spoken, model: made, made: when }, model) {
    const old = model && made !== model ? "; made by another model, so enrol again" : "";
    const drop = actor("Delete", () => gone(name), { class: "quiet", "aria-label": `Delete ${name}` });
    return h("li", {}, h("strong", {}, name), ` (${when.slice(0, 10)}, ${seconds(spoken)} of speech${old}) `, drop);
  }

  /** @param {string} name */
  async function gone(name) {
    await remove(name);
    await show();
    title.focus();
    announce(`${name} is deleted from this device.`);
  }

  async function forget() {
    await clear();
    await dropCopy();
    await show();
    title.focus();
    announce("Everything is deleted from this device.");
  }

  async function save() {
    const content = new Blob([JSON.stringify(await all(), null, 1)], { type: "application/json" });
    const link = h("a", { href: URL.createObjectURL(content), download: "voiceprints.json" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser may still be reading it
  }

  const element = h(
    "section",
    { class: "card", id: "kept", "aria-labelledby": title.id },
    title,
    list,
    h("p", { class: "hint" }, "Whoever uses this browser can see, copy and delete these. Deleting everything also removes the copy of this view that works offline."),
    buttons,
  );
  return { element, show };
}
