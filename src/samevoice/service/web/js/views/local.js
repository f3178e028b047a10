// @ts-check
/**
 * On this device: the model runs in the browser, and no sound leaves it. Works without the service once it was open.
 */

import { h, sentence } from "../dom.js";
import { checking } from "../local/checking.js";
import { comparing } from "../local/comparing.js";
import { Engine, lacking } from "../local/engine.js";
import { enrolling } from "../local/enrolling.js";
import { kept } from "../local/kept.js";
import { keepCopy } from "../local/offline.js";

const LIMITS =
  "The verdict is this page's own, for whoever holds the device: who can change the page can change the verdict, so no other system should trust it. Nothing here tells a live voice from a recording of it, or from a synthetic one, and the recordings are not examined for noise and clipping as the service does.";

/** @param {HTMLElement} root @param {{announce: (text: string) => void}} context */
export function view(root, { announce }) {
  root.append(
    h("h1", {}, "On this device"),
    h("p", { class: "lead" }, "A small model runs here, in your browser. Your recordings and voiceprints are not sent anywhere, not even to this service."),
  );
  const lack = lacking();
  if (lack) {
    const hint = `This browser cannot run the model: it has no ${lack}. Use a newer one, or let the service compare under `;
    root.append(h("p", { class: "notice bad", role: "alert" }, hint, h("a", { href: "#/same" }, "Same voice?")));
    return () => undefined;
  }
  const state = h("p", { class: "notice", id: "state", role: "status" }, "Loading the model (10 MB, once) …");
  const engine = new Engine();
  const mine = kept(engine, announce);
  const parts = [comparing(engine), enrolling(engine, mine.show), checking(engine)];
  root.append(
    state,
    ...parts.map((part) => part.element),
    mine.element,
    h("details", {}, h("summary", {}, "What this is not"), h("p", {}, LIMITS)),
  );
  mine.show();
  prepare(engine, state);
  return () => {
    for (const part of parts) part.destroy();
    engine.close();
  };
}

/** Say how far the model is, and whether it will work without the service. @param {Engine} engine @param {HTMLElement} state */
async function prepare(engine, state) {
  try {
    await engine.ready;
    state.textContent = "Ready: nothing you record here is sent.";
    const whole = await keepCopy();
    state.textContent = whole
      ? "Ready, also without a connection: nothing you record here is sent."
      : "Ready: nothing you record here is sent. Opening this view without a connection needs HTTPS with a certificate that the browser trusts.";
  } catch (problem) {
    state.className = "notice bad";
    state.textContent = sentence(/** @type {Error} */ (problem).message);
  }
}
