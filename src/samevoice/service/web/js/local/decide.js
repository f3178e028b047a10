// @ts-check
/**
 * From the cosine of two voices to a verdict, by the calibration in the model's card: the rules and words of the library
 * (`scoring.calibration`, `scoring.decision`), and the field names of its answers.
 */

/** @typedef {import("./card.js").Calibration} Calibration */
/** @typedef {{verdict: "same" | "different" | "unsure", score: number | null, llr: number | null, probability: number | null, threshold: number | null, far: number | null, prior: number, speech: [number, number], reason: string, model: string, warnings: string[], impostor_pairs: number | null, more_speech: number | null}} Decision */

const FAR = 0.01; // tolerated false accepts, unless the calibration supports only more
const PRIOR = 0.5; // probability of one speaker before listening
const SAME = Math.log(19); // least evidence for "same": a false one lets a stranger in
const DIFFERENT = -Math.log(4); // for "different": a false one asks for another try
const SHORT = 3; // seconds of speech that are asked for where nothing better is known
const LEAST_MORE = 0.1; // seconds; less is not asked for

/** The cosine of two unit vectors. @param {ArrayLike<number>} first @param {ArrayLike<number>} second */
export function cosine(first, second) {
  let sum = 0;
  for (let i = 0; i < first.length; i += 1) sum += first[i] * second[i];
  return clip(sum, -1, 1);
}

/**
 * @param {number} score cosine
 * @param {[number, number]} speech seconds on both sides
 * @param {Calibration} calibration
 * @param {string} model fingerprint to put on record
 * @returns {Decision}
 */
export function decide(score, speech, calibration, model) {
  const seconds = Math.min(...speech);
  const evidence = llr(calibration, score, seconds);
  const far = Math.max(FAR, /** @type {number} */ (calibration.rates.at(-1)));
  const cut = Math.max(threshold(calibration, far, seconds), crossing(calibration, SAME, seconds));
  const able = calibration.max_llr >= SAME; // a calibration on too few people never has the evidence
  const verdict = able && score >= cut ? "same" : evidence <= DIFFERENT ? "different" : "unsure";
  const more = verdict === "unsure" ? missing(calibration, far, seconds) : null;
  return {
    verdict,
    score,
    llr: evidence,
    probability: posterior(evidence),
    threshold: cut,
    far,
    prior: PRIOR,
    speech,
    reason: reasonOf(verdict, evidence, far, seconds, more),
    model,
    warnings: [],
    impostor_pairs: calibration.speaker_pairs,
    more_speech: more,
  };
}

/**
 * The decision where nothing could be scored.
 * @param {string} reason
 * @param {[number, number]} speech
 * @param {string} model
 * @returns {Decision}
 */
export function undecided(reason, speech, model) {
  return { verdict: "unsure", score: null, llr: 0, probability: PRIOR, threshold: null, far: null, prior: PRIOR, speech, reason, model, warnings: [], impostor_pairs: null, more_speech: null };
}

/** @param {Calibration} calibration @param {number} score @param {number} seconds */
function llr({ weights, max_llr: most, durations }, score, seconds) {
  const log = Math.log(within(durations, seconds));
  const [bias, slope, logBias, logSlope] = weights;
  return clip(bias + slope * score + logBias * log + logSlope * score * log, -most, most);
}

/** The cosine at which the evidence reaches a value. @param {Calibration} calibration @param {number} value @param {number} seconds */
function crossing({ weights, durations }, value, seconds) {
  const log = Math.log(within(durations, seconds));
  const [bias, slope, logBias, logSlope] = weights;
  return (value - bias - logBias * log) / (slope + logSlope * log);
}

/** The lowest cosine that keeps a rate of false accepts. @param {Calibration} calibration @param {number} far @param {number} seconds */
function threshold({ durations, rates, thresholds }, far, seconds) {
  const logs = durations.map(Math.log);
  const byRate = thresholds.map((row) => between(Math.log(seconds), logs, row));
  return between(-Math.log(far), rates.map((rate) => -Math.log(rate)), byRate);
}

/** Seconds up to where nine of ten recordings of one speaker are recognised; null where more is not known to help. @param {Calibration} calibration @param {number} far @param {number} seconds */
function missing(calibration, far, seconds) {
  const { durations, reached } = calibration;
  const lasts = (/** @type {number} */ long, /** @type {number} */ i) => reached[i] >= Math.max(threshold(calibration, far, long), crossing(calibration, SAME, long));
  const enough = reached.length ? durations.find(lasts) : SHORT;
  return enough === undefined || enough <= seconds ? null : Math.max(enough - seconds, LEAST_MORE);
}

/** Probability of one speaker after the evidence. @param {number} evidence */
function posterior(evidence) {
  return 1 / (1 + Math.exp(-evidence)); // the prior is an even chance
}

/** Why this verdict. @param {Decision["verdict"]} verdict @param {number} evidence @param {number} far @param {number} seconds @param {number | null} more */
function reasonOf(verdict, evidence, far, seconds, more) {
  const rate = Number((100 * far).toPrecision(6));
  if (verdict === "same") return `the evidence is ${odds(evidence)} for one speaker; at most ${rate} % of strangers would pass`;
  if (verdict === "different") return `the evidence is ${odds(-evidence)} for two speakers`;
  let weak = `the evidence is weak (${odds(Math.abs(evidence))} for ${evidence >= 0 ? "one speaker" : "two speakers"})`;
  if (evidence >= SAME) weak = `the evidence is ${odds(evidence)} for one speaker, but more than ${rate} % of strangers would pass`;
  if (more !== null) return `${weak}; the shorter recording has ${seconds.toFixed(1)} s of speech, ${more.toFixed(1)} s more would help`;
  return `${weak}; a further recording would help`;
}

/** Evidence as people say it. @param {number} evidence */
function odds(evidence) {
  const ratio = Math.exp(evidence);
  return ratio >= 10 ? `${Math.round(ratio).toLocaleString("en-US")} to 1` : `${ratio.toFixed(1)} to 1`;
}

/** Seconds as far as they were calibrated. @param {number[]} durations @param {number} seconds */
function within(durations, seconds) {
  return clip(seconds, durations[0], /** @type {number} */ (durations.at(-1)));
}

/** @param {number} value @param {number} low @param {number} high */
function clip(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

/** Linear interpolation; beyond the ends their values. @param {number} x @param {number[]} xs rising @param {number[]} ys */
function between(x, xs, ys) {
  const after = xs.findIndex((one) => one > x);
  if (after === 0) return ys[0];
  if (after < 0) return ys[ys.length - 1];
  const share = (x - xs[after - 1]) / (xs[after] - xs[after - 1]);
  return ys[after - 1] + share * (ys[after] - ys[after - 1]);
}
