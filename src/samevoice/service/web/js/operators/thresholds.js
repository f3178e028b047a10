// @ts-check
/**
 * What a threshold costs: strangers who pass against the right people who are turned away.
 */

import { field, fill, h, sentence } from "../dom.js";
import { percent, rate } from "../words.js";
import { curve } from "./curve.js";

const PATIENCE = 300; // milliseconds after the last change of the length

/**
 * @param {import("../app.js").Context} context
 * @returns {HTMLElement}
 */
export function thresholds({ api }) {
  let turn = 0;
  let timer = 0;
  /** @type {number | null} the rate that the reader looks at */
  let wanted = null;
  const seconds = h("input", { type: "number", name: "seconds", min: 0.5, max: 60, step: 0.5, value: 3, oninput: typed });
  const place = h("div", { class: "view" });
  const notice = h("p", { class: "notice bad", role: "alert" });

  function typed() {
    clearTimeout(timer);
    if (seconds.checkValidity() && seconds.value) timer = setTimeout(load, PATIENCE);
  }

  async function load() {
    const mine = (turn += 1);
    try {
      const found = await api.thresholds(Number(seconds.value));
      if (mine !== turn) return;
      notice.textContent = "";
      draw(found);
    } catch (problem) {
      if (mine === turn) notice.textContent = sentence(/** @type {Error} */ (problem).message);
    }
  }

  /** @param {any} found */
  function draw(found) {
    const points = found.points;
    if (!points.length) {
      fill(place, h("p", {}, "This model has no calibration, so nothing can be predicted. Make one: samevoice calibrate."));
      return;
    }
    const known = points.every((/** @type {any} */ one) => one.frr !== null);
    const words = `Predicted errors for ${found.seconds} s of speech; the slider below tells them in words`;
    const picture = known ? curve(points, words) : null;
    const told = h("p", { id: "costs", "aria-live": "polite" });
    const option = h("code", { id: "option" });
    const slider = h("input", { type: "range", name: "far", min: 0, max: points.length - 1, step: 1, oninput: moved });
    slider.value = String(nearest(points, wanted ?? found.far));

    function show() {
      const point = points[Number(slider.value)];
      told.textContent = costs(point);
      slider.setAttribute("aria-valuetext", told.textContent);
      option.textContent = `samevoice serve --far ${Number(point.far.toPrecision(3))}`;
      picture?.mark(point);
    }

    function moved() {
      wanted = points[Number(slider.value)].far;
      show();
    }

    show();
    fill(
      place,
      picture?.element,
      field("Tolerated share of strangers, from many to few", slider),
      told,
      h("p", {}, "This sets it: ", option, h("span", { class: "hint" }, ` (now: ${rate(found.far)})`)),
      h("details", {}, h("summary", {}, "What this rests on"), ...rests(found)),
    );
  }

  load();
  return h(
    "section",
    { class: "card", "aria-labelledby": "thresholds-title" },
    h("h2", { id: "thresholds-title" }, "Thresholds"),
    field("Seconds of speech", seconds, "Of the shorter of the two recordings."),
    notice,
    place,
  );
}

/** @param {{far: number, threshold: number, kept: number, frr: number | null}} point */
function costs(point) {
  const away = point.frr === null
    ? "how many of the right people would be turned away is not known"
    : `${percent(point.frr)} of the right people would be turned away`;
  const passing = point.kept < 0.999 * point.far
    ? `${rate(point.far)} may pass, but the evidence that is asked for besides lets no more than ${rate(point.kept)} pass`
    : `at most ${rate(point.far)} would pass`;
  return `Of strangers ${passing}; ${away}. The lowest cosine let in is ${point.threshold.toFixed(3)}.`;
}

/** @param {{far: number}[]} points @param {number} far */
function nearest(points, far) {
  const away = points.map((one) => Math.abs(Math.log(one.far / far)));
  return away.indexOf(Math.min(...away));
}

/** @param {any} found */
function rests(found) {
  const { trials, speaker_pairs: pairs, reached, durations, source } = found;
  const told = (/** @type {number} */ count) => count.toLocaleString("en-GB");
  return [
    trials && h("p", {}, `${told(trials.target)} trials of one person and ${told(trials.non_target)} of two, of ${told(pairs)} pairs of speakers. `
      + `Measured with ${durations[0]} to ${durations.at(-1)} s of speech; other lengths count as the nearest.`),
    h("p", {}, reached
      ? `Of the right people it is measured that ${percent(reached.share)} of their recordings reach a cosine of ${reached.cosine.toFixed(3)}; the rest of the curve is modelled through that point.`
      : "Of the right people nothing was measured."),
    source && h("p", { class: "hint" }, sentence(source)),
  ];
}
