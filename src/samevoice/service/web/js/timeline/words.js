// @ts-check
/**
 * Times, shares and numbers of speakers in words.
 */

import { percent } from "../words.js";

export const UNSURE = 0.6; // a turn whose speaker is less probable than this is marked

/** @typedef {{start: number, end: number, speaker: string, confidence: number | null}} Turn */

/** A moment as a clock shows it. @param {number} seconds @param {number} [digits] after the point */
export function clock(seconds, digits = 1) {
  const unit = 10 ** digits;
  const whole = Math.round(seconds * unit) / unit;
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = (whole % 60).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** A span of time. @param {number} seconds */
export function lasting(seconds) {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** @param {number} count @param {string} one @param {string} [more] */
export function counted(count, one, more = `${one}s`) {
  return `${count.toLocaleString("en-GB")} ${count === 1 ? one : more}`;
}

/** Whether a turn needs a second look. @param {Turn} turn */
export function unsure(turn) {
  return turn.confidence !== null && turn.confidence < UNSURE;
}

/**
 * How many speak, and how sure that is.
 * @param {{speakers: number, probability: number}[]} counts likeliest first
 */
export function speakersInWords(counts) {
  const [first, ...rest] = counts;
  if (!first) return "How many people speak is not known.";
  if (first.speakers === 0) return "Nobody is heard to speak. Is it the right recording?";
  const people = counted(first.speakers, "person", "people");
  const verb = first.speakers === 1 ? "speaks" : "speak";
  const share = percent(first.probability);
  const others = rest.filter((one) => one.probability >= 0.05).slice(0, 3);
  const instead = others.map((one) => `${one.speakers} (${percent(one.probability)})`).join(", ");
  const tail = instead ? ` Otherwise: ${instead}.` : "";
  if (first.probability >= 0.95) return `Almost certainly ${people} ${verb} (${share}).`;
  if (first.probability >= 0.7) return `Probably ${people} ${verb} (${share}).${tail}`;
  if (first.probability >= 0.5) return `Perhaps ${people} ${verb} (${share}); listen before you rely on it.${tail}`;
  return `It is not clear how many people speak; ${first.speakers} is the likeliest number (${share}).${tail}`;
}

/** How far a job is. @param {{state: string, progress: number, eta: number | null}} job */
export function standing(job) {
  if (job.state === "waiting") return "Waiting for its turn";
  if (job.state === "done") return "Done";
  if (job.state === "failed") return "Failed";
  if (job.state === "cancelled") return "Stopped";
  const left = job.eta === null ? "" : job.eta < 5 ? ", a few seconds left" : `, about ${lasting(job.eta)} left`;
  return `${Math.round(100 * job.progress)} % heard${left}`;
}

/** A date and time of the reader's place. @param {string} iso */
export function moment(iso) {
  return new Date(iso).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}
