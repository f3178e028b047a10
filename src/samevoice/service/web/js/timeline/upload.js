// @ts-check
/**
 * A meeting to be heard: a file, and what is known about who speaks.
 */

import { field, h, sentence, tick } from "../dom.js";

/**
 * @param {import("../app.js").Context} context
 * @param {(job: any) => void} started told when the service has the recording
 * @returns {HTMLElement}
 */
export function upload({ api, me, announce }, started) {
  const most = me.limits.meeting_bytes;
  const file = h("input", { type: "file", name: "audio", accept: "audio/*,video/*", onchange: chosen });
  const told = h("p", { class: "hint", role: "status" });
  const notice = h("p", { class: "notice bad", role: "alert" });
  const bar = h("progress", { max: 1, value: 0, hidden: true, "aria-label": "Upload" });
  const rule = h(
    "select",
    { name: "rule", onchange: ruled },
    h("option", { value: "" }, "not known"),
    h("option", { value: "speakers" }, "exactly"),
    h("option", { value: "most" }, "at most"),
  );
  const number = h("input", { type: "number", name: "number", min: 1, max: 1000, step: 1, value: 2, required: true });
  const count = field("Number", number);
  const names = h("input", { type: "checkbox", name: "names" });
  const send = h("button", { class: "main", type: "submit" }, "Find who spoke when");
  /** @type {File | null} */
  let recording = null;

  function ruled() {
    count.hidden = !rule.value;
    number.disabled = !rule.value;
  }

  /** @param {File} wanted */
  function take(wanted) {
    recording = wanted.size <= most ? wanted : null;
    notice.textContent = recording ? "" : `${wanted.name} is larger than the ${Math.round(most / 2 ** 20)} MB that this service takes.`;
    told.textContent = recording ? `${wanted.name}, ${(wanted.size / 2 ** 20).toFixed(1)} MB` : "";
  }

  function chosen() {
    if (file.files[0]) take(file.files[0]);
  }

  /** @param {Event} event */
  async function submitted(event) {
    event.preventDefault();
    if (bar.hidden === false) return;
    if (!recording) {
      notice.textContent = "Choose a recording first.";
      file.focus();
      return;
    }
    notice.textContent = "";
    bar.hidden = false;
    send.setAttribute("aria-busy", "true");
    try {
      const known = rule.value ? { [rule.value]: Number(number.value) } : {};
      const audio = { blob: recording, name: recording.name };
      const job = await api.diarize(audio, { ...known, names: names.checked }, (share) => {
        bar.value = share;
        told.textContent = `${Math.round(100 * share)} % sent`;
      });
      recording = null;
      file.value = "";
      told.textContent = "";
      announce("The recording is at the service.");
      started(job);
    } catch (problem) {
      notice.textContent = sentence(/** @type {Error} */ (problem).message);
    } finally {
      bar.hidden = true;
      send.removeAttribute("aria-busy");
    }
  }

  /** @param {DragEvent} event */
  function over(event) {
    event.preventDefault();
    drop.classList.toggle("over", event.type === "dragover");
    if (event.type === "drop" && event.dataTransfer?.files[0]) take(event.dataTransfer.files[0]);
  }

  const drop = h(
    "div",
    { class: "drop", ondragover: over, ondragleave: over, ondrop: over },
    field("A recording with several people", file, "Choose a file, or drop one here. Sound and video files are fine."),
    told,
    bar,
  );
  ruled();
  return h(
    "form",
    { class: "card", id: "upload", onsubmit: submitted, novalidate: false },
    drop,
    h("div", { class: "fields" }, field("Number of speakers", rule), count),
    tick(names, "Use names of enrolled people"),
    notice,
    h("div", { class: "row" }, send),
  );
}
