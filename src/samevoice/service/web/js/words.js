// @ts-check
/**
 * Numbers as people say them.
 */

/** A share as per cent, never 0 or 100 for what is not certain. @param {number} share */
export function percent(share) {
  const value = 100 * share;
  if (value > 99.9) return "over 99.9 %";
  if (value < 0.1) return "below 0.1 %";
  return `${value >= 99 || value < 1 ? value.toFixed(1) : Math.round(value)} %`;
}

/** A tolerated rate: as it was given. @param {number} share */
export function rate(share) {
  return `${Number((100 * share).toPrecision(3))} %`;
}

/** Odds of the likelier side. @param {number} llr natural logarithm */
export function odds(llr) {
  const ratio = Math.exp(Math.abs(llr));
  return `${ratio >= 10 ? Math.round(ratio).toLocaleString("en-GB") : ratio.toFixed(1)} to 1`;
}

/** @param {number} value */
export function seconds(value) {
  return `${(Math.floor(10 * value + 1e-6) / 10).toFixed(1)} s`;
}

/** Seconds that are asked for: rather a little more. @param {number} value */
export function more(value) {
  return `${Math.max(1, Math.ceil(value - 1e-6))} s`;
}
