// @ts-check
/**
 * One recording: from the microphone, from a file, or dropped; with its picture, and a coach while it is made.
 */

import { Coach, advice, decibels, levelWord, noiseWord } from "../coach.js";
import { h, unique } from "../dom.js";
import { Recorder } from "../recorder.js";
import { drawn } from "../wav.js";
import { bar } from "./bar.js";
import { waveform } from "./wave.js";

/** @typedef {{blob: Blob, name: string, seconds: number | null}} Clip */

/**
 * @param {object} options
 * @param {string} options.label what the recording is, such as "First voice"
 * @param {any} options.limits of the service: clip_bytes, clip_seconds
 * @param {import("../api.js").Api} [options.api] asked to coach
 * @param {number} [options.enough] seconds of speech that are wanted
 * @param {string} [options.hint]
 * @param {boolean} [options.alone] whether this browser must do without the service
 * @param {() => void} [options.onchange] told when there is another clip, or none any more
 */
export function recordBox({ label, limits, api, enough = 3, hint = "Record, or drop a recording here.", alone = false, onchange = () => undefined }) {
  /** @type {Clip | null} */
  let clip = null;
  /** @type {Recorder | null} */
  let recorder = null;
  /** @type {Coach | null} */
  let coach = null;
  /** @type {HTMLAudioElement | null} */
  let player = null;

  const heading = h("h3", { id: unique("box") }, label);
  const wave = waveform(`Waveform: ${label}`);
  const told = h("p", { class: "hint told" }, hint);
  const wrong = h("p", { class: "notice bad", role: "alert" });
  const said = h("p", { class: "advice", "aria-live": "polite" });
  const level = bar("Level");
  const speech = bar("Speech");
  const noise = h("p", { class: "hint noise" });
  const coaching = h("div", { class: "coach", hidden: true }, said, level.element, speech.element, noise);
  const record = h("button", { type: "button", class: "record", onclick: () => (recorder ? stop() : start()) }, "Record");
  const file = h("input", { type: "file", class: "hidden", accept: "audio/*,video/*", onchange: () => file.files?.[0] && take(file.files[0]) });
  const play = h("button", { type: "button", class: "quiet", hidden: true, onclick: toggle }, "Play");
  const remove = h("button", { type: "button", class: "quiet", hidden: true, onclick: () => { clear(); record.focus(); } }, "Remove");
  for (const control of [record, file, play, remove]) control.setAttribute("aria-describedby", heading.id);
  const element = h(
    "div",
    { class: "recordbox", role: "group", "aria-labelledby": heading.id, ondragover: hover, ondragleave: hover, ondrop: drop },
    heading,
    wave.element,
    h("div", { class: "taken" }, told, play, remove),
    coaching,
    wrong,
    h("div", { class: "row" }, record, h("label", { class: "button" }, "Choose a file", file)),
  );

  async function start() {
    clear();
    record.disabled = true; // until the browser has asked
    const mine = new Recorder();
    mine.addEventListener("part", (event) => hear(/** @type {CustomEvent} */ (event).detail));
    mine.addEventListener("trouble", (event) => {
      finish();
      wrong.textContent = /** @type {CustomEvent} */ (event).detail.message;
    });
    try {
      await mine.start();
    } catch (trouble) {
      wrong.textContent = /** @type {Error} */ (trouble).message;
      return;
    } finally {
      record.disabled = false;
      record.focus();
    }
    recorder = mine;
    coach = new Coach(mine.rate, api ?? null);
    record.textContent = "Stop";
    element.classList.add("recording");
    coaching.hidden = false;
    told.textContent = "Recording …";
  }

  /** @param {Float32Array} part */
  function hear(part) {
    if (!coach) return;
    coach.hear(part);
    const { state } = coach;
    const height = (decibels(part) + 60) / 60;
    wave.push(height);
    level.set(height, levelWord(state));
    speech.set(state.speech / enough, `${state.speech.toFixed(1)} s of ${enough} s`);
    noise.textContent = `Noise: ${noiseWord(state)}${state.local ? "" : " · the service listens along"}`;
    const words = advice(state, enough);
    if (said.textContent !== words) said.textContent = words;
    if (state.seconds >= limits.clip_seconds - 1) stop();
  }

  function stop() {
    finish();
    record.focus();
  }

  /** Keep what was recorded. */
  function finish() {
    const made = recorder?.stop();
    silence();
    if (made?.samples.length) keep({ blob: made.wav, name: label, seconds: made.samples.length / made.rate }, made.samples);
    else told.textContent = hint;
  }

  /** No recording is going on. */
  function silence() {
    coach?.end();
    coach = null;
    recorder = null;
    record.textContent = clip ? "Record again" : "Record";
    element.classList.remove("recording");
    coaching.hidden = true;
  }

  /** @param {File} chosen */
  async function take(chosen) {
    clear();
    if (chosen.size > limits.clip_bytes) {
      wrong.textContent = `${chosen.name} is larger than ${Math.round(limits.clip_bytes / 2 ** 20)} MB; choose a shorter recording.`;
      return;
    }
    const samples = await drawn(chosen);
    keep({ blob: chosen, name: chosen.name, seconds: samples && samples.length / 16_000 }, samples);
  }

  /** @param {Clip} made @param {Float32Array | null} samples */
  function keep(made, samples) {
    clip = made;
    wave.show(samples);
    told.textContent = made.seconds === null ? `${made.name} (no picture${alone ? "" : ", but the service may read it"})` : `${made.name}, ${made.seconds.toFixed(1)} s`;
    play.hidden = remove.hidden = false;
    record.textContent = "Record again";
    onchange();
  }

  function clear() {
    recorder?.stop();
    halt();
    const had = clip;
    clip = null;
    silence();
    wave.show(null);
    file.value = "";
    wrong.textContent = "";
    told.textContent = hint;
    play.hidden = remove.hidden = true;
    if (had) onchange();
  }

  function toggle() {
    if (player || !clip) return halt();
    player = new Audio(URL.createObjectURL(clip.blob));
    for (const kind of ["ended", "error"]) player.addEventListener(kind, halt);
    play.textContent = "Stop playing";
    player.play().catch(halt);
  }

  function halt() {
    if (!player) return;
    player.pause();
    URL.revokeObjectURL(player.src);
    player = null;
    play.textContent = "Play";
  }

  /** @param {DragEvent} event */
  function hover(event) {
    event.preventDefault();
    element.classList.toggle("over", event.type === "dragover");
  }

  /** @param {DragEvent} event */
  function drop(event) {
    hover(event);
    const dropped = event.dataTransfer?.files[0];
    if (dropped) take(dropped);
  }

  return {
    element,
    clear,
    /** What was recorded or chosen; null where there is nothing yet. */
    get clip() { return clip; },
    /** What was recorded or chosen; a recording that goes on is ended. @returns {Clip | null} */
    taken() {
      if (recorder) finish();
      return clip;
    },
    /** Ask for a recording, where there is none. @param {string} words */
    ask(words) {
      wrong.textContent = words;
      record.focus();
    },
    /** Let go of the microphone and of everything else. */
    destroy() {
      recorder?.stop();
      coach?.end();
      halt();
      wave.destroy();
    },
  };
}
