// @ts-check
/**
 * What was found, in words first: a headline, the reason, the evidence and the numbers behind it.
 */

import { Problem } from "../api.js";
import { fill, h, sentence, unique } from "../dom.js";
import { more, odds, percent, rate } from "../words.js";
import { evidenceScale } from "./scale.js";

/** @typedef {"good" | "bad" | "warn"} Mood */

/** A place for results, which takes the focus when there is one. */
export function resultPlace() {
  const element = h("section", { class: "result", tabindex: "-1", hidden: true });
  return {
    element,
    /**
     * @param {Mood} mood
     * @param {string} headline
     * @param {...import("../dom.js").Child} rest
     */
    show(mood, headline, ...rest) {
      const heading = h("h2", { class: "headline", id: unique("result") }, headline);
      const sign = h("span", { class: "sign", "aria-hidden": "true" }, { good: "✓", bad: "✕", warn: "?" }[mood]);
      element.className = `result card ${mood}`;
      element.setAttribute("aria-labelledby", heading.id);
      fill(element, h("div", { class: "head" }, sign, heading), ...rest);
      element.hidden = false;
      element.focus({ preventScroll: true });
      element.scrollIntoView({ block: "nearest" });
    },
    clear() {
      element.hidden = true;
      fill(element);
    },
    /** What went wrong, and that nothing came of it. @param {unknown} problem @param {string} headline */
    fail(problem, headline) {
      if (!(problem instanceof Problem)) throw problem;
      this.show("bad", headline, ...problemWords(problem));
    },
  };
}

/** A problem for people: its reasons, each as a sentence. @param {Problem} problem */
export function problemWords(problem) {
  const { reasons, retry_after: wait } = problem.body;
  const told = Array.isArray(reasons) && reasons.length ? list(reasons) : h("p", {}, sentence(problem.message));
  return [told, wait ? h("p", {}, `Try again in ${more(Number(wait))}.`) : null];
}

/** @param {string[]} lines */
export function list(lines) {
  return lines.length ? h("ul", { class: "lines" }, lines.map((line) => h("li", {}, sentence(line)))) : null;
}

/**
 * The headline of a verdict.
 * @param {any} found a decision or an identification
 * @param {Record<string, string>} words by verdict
 */
export function headline(found, words) {
  if (found.verdict !== "unsure") return words[found.verdict];
  const spoken = Math.min(...[found.speech].flat().filter((one) => one !== null)); // null: not told
  if (spoken < 0.05) return "Cannot tell: nobody is heard to speak";
  if (found.more_speech) return `Cannot tell: ${more(found.more_speech)} more speech, please`;
  return "Cannot tell";
}

/** @param {string} verdict @returns {Mood} */
export function mood(verdict) {
  if (verdict === "unsure") return "warn";
  return verdict === "same" || verdict === "known" ? "good" : "bad";
}

/**
 * Everything about a decision that follows the headline.
 * @param {any} decision
 * @param {string} spoken how much speech there was
 */
export function decisionDetails(decision, spoken) {
  const { verdict, llr, probability, far, prior, score, threshold, warnings, impostor_pairs: pairs } = decision;
  const known = typeof llr === "number" && typeof score === "number";
  return [
    h("p", { class: "reason" }, sentence(decision.reason)),
    known ? evidenceScale(llr, verdict) : null,
    facts([
      known ? ["Odds", `${odds(llr)} for ${llr >= 0 ? "one speaker" : "two speakers"}`] : null,
      known ? ["Probability of the same person", `${percent(probability)}${prior === 0.5 ? ", if it was an even chance before" : `, if it was ${percent(prior)} before`}`] : null,
      typeof far === "number" ? ["False accepts", `at most ${rate(far)} of strangers pass${pairs ? `, as measured on ${pairs.toLocaleString("en-GB")} pairs of other people` : ""}`] : null,
      ["Speech heard", spoken],
    ]),
    warned(warnings),
    typeof score === "number" ? h("details", {}, h("summary", {}, "For the record"), facts([
      ["Cosine", `${score.toFixed(3)}${typeof threshold === "number" ? ` (“same” from ${threshold.toFixed(3)} on)` : ""}`],
      ["Model", decision.model],
      decision.calibration ? ["Calibration", decision.calibration] : null,
    ])) : null,
  ];
}

/** What may mislead. @param {string[]} warnings */
export function warned(warnings) {
  return warnings?.length ? h("div", { class: "notice warn" }, h("h3", {}, "This may mislead"), h("ul", { class: "lines" }, warnings.map((line) => h("li", {}, line)))) : null;
}

/** @param {([string, string] | null)[]} pairs */
export function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.map((pair) => pair && h("div", {}, h("dt", {}, pair[0]), h("dd", {}, pair[1]))));
}
