// @ts-check
/**
 * A lane for each speaker below the waveform, drawn for what is in sight, with the mouse and with keys.
 *
 * The table of turns tells the same to those who do not see it.
 */

import { h } from "../dom.js";
import { letter, paints } from "./marks.js";
import { clock, lasting, unsure } from "./words.js";

const LANE = 46; // pixels of a lane: a line of text and the turns
const TEXT = 17;
const BAR = 22;
const RULER = 22;
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600]; // seconds between ticks
const TICK = 70; // pixels that a tick needs
const KEYS = "Left and right: go from turn to turn; with Shift: choose a second one. Enter: play or pause. "
  + "A letter: give the turn to that speaker.";

/** The lanes of a document. */
export class Lanes {
  #asked = 0;

  /**
   * @param {import("./document.js").Document} paper
   * @param {import("./player.js").Player} player
   * @param {{play: () => void, give: (name: string) => void, announce: (text: string) => void}} acts
   */
  constructor(paper, player, acts) {
    this.paper = paper;
    this.player = player;
    this.acts = acts;
    this.canvas = h("canvas", { "aria-hidden": "true" });
    const hint = h("p", { class: "hint", id: "lanes-keys" }, KEYS);
    this.stage = h(
      "div",
      {
        class: "lanes", tabindex: "0", role: "application", "aria-roledescription": "lanes of speakers",
        "aria-label": "Turns of all speakers", "aria-describedby": hint.id,
        onclick: (/** @type {MouseEvent} */ event) => this.#click(event),
        onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
      },
      this.canvas,
    );
    this.stage.addEventListener("wheel", (/** @type {WheelEvent} */ event) => this.#wheel(event), { passive: false });
    this.element = h("div", {}, this.stage, hint);
    this.draw = this.draw.bind(this);
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.dark.addEventListener("change", this.draw);
    for (const name of ["view", "time"]) player.addEventListener(name, this.draw);
    for (const name of ["change", "choice"]) paper.addEventListener(name, this.draw);
  }

  destroy() {
    cancelAnimationFrame(this.#asked);
    this.dark.removeEventListener("change", this.draw);
  }

  /** Draw before the next frame, however often it is asked. */
  draw() {
    cancelAnimationFrame(this.#asked);
    this.#asked = requestAnimationFrame(() => this.#paint());
  }

  #paint() {
    const { paper, player, canvas, stage } = this;
    const [width, ratio] = [stage.clientWidth, devicePixelRatio || 1];
    const height = RULER + paper.names.length * LANE;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    const style = getComputedStyle(stage);
    const tone = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    const { scale, left } = player.window;
    pen.scale(ratio, ratio);
    pen.font = `13px ${style.fontFamily}`;
    pen.textBaseline = "middle";
    this.#ruler(pen, width, height, { soft: tone("--soft"), line: tone("--line") });
    const paint = paints(pen, stage);
    const tones = { ink: tone("--lane-ink"), rim: tone("--ink") };
    const places = new Map(paper.names.map((name, place) => [name, place]));
    paper.result.speakers.forEach((speaker, place) => {
      pen.fillStyle = tone("--ink");
      pen.fillText(`${letter(place)}  ${speaker.name}  ${lasting(speaker.seconds)}`, 6, RULER + place * LANE + TEXT / 2 + 2);
    });
    paper.turns.forEach((turn, at) => {
      const [from, to] = [turn.start * scale - left, turn.end * scale - left];
      const place = places.get(turn.speaker);
      if (to < 0 || from > width || place === undefined) return;
      const box = [from, RULER + place * LANE + TEXT + 2, Math.max(to - from, 1.5), BAR];
      this.#turn(pen, box, { ...paint(place), ...tones, doubt: unsure(turn), chosen: paper.chosen.includes(at) });
    });
    pen.fillStyle = tone("--accent");
    pen.fillRect(player.time * scale - left - 1, 0, 2, height);
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {number[]} box left, top, width, height
   * @param {{solid: string, pattern: CanvasPattern | string, ink: string, rim: string, doubt: boolean, chosen: boolean}} look
   */
  #turn(pen, [left, top, width, height], look) {
    pen.fillStyle = look.pattern;
    pen.fillRect(left, top, width, height);
    if (look.doubt) {
      pen.strokeStyle = look.ink;
      pen.lineWidth = 2;
      pen.setLineDash([4, 3]);
      pen.strokeRect(left + 1, top + 1, Math.max(width - 2, 1), height - 2);
      pen.setLineDash([]);
      if (width > 14) mark(pen, "?", left + 7, top + height / 2, look);
    }
    if (!look.chosen) return;
    pen.strokeStyle = look.rim;
    pen.lineWidth = 3;
    pen.strokeRect(left - 1, top - 2, width + 2, height + 4);
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {number} width
   * @param {number} height
   * @param {{soft: string, line: string}} tones
   */
  #ruler(pen, width, height, tones) {
    const { scale, left } = this.player.window;
    const step = STEPS.find((one) => one * scale >= TICK) ?? 3600;
    for (let count = Math.ceil(left / scale / step); count * step * scale - left < width; count += 1) {
      const seconds = count * step;
      if (seconds > this.player.seconds) return;
      const x = Math.round(seconds * scale - left);
      pen.fillStyle = tones.line;
      pen.fillRect(x, 0, 1, height);
      pen.fillStyle = tones.soft;
      pen.fillText(clock(seconds, step < 1 ? 1 : 0), x + 4, RULER / 2);
    }
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const bounds = this.canvas.getBoundingClientRect();
    const { scale, left } = this.player.window;
    const name = this.paper.names[Math.floor((event.clientY - bounds.top - RULER) / LANE)];
    const time = (event.clientX - bounds.left + left) / scale;
    const slack = 3 / scale; // the shortest turns are hard to hit
    const at = this.paper.turns.findIndex(
      (turn) => turn.speaker === name && turn.start - slack <= time && time < turn.end + slack,
    );
    if (at < 0) return;
    const also = event.shiftKey || event.ctrlKey || event.metaKey;
    this.paper.choose(at, also);
    if (!also) this.acts.play();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) this.#go(step, event.shiftKey);
    else if (event.key === "Home") this.#to(0, event.shiftKey);
    else if (event.key === "End") this.#to(this.paper.turns.length - 1, event.shiftKey);
    else if (event.key === "Enter" || event.key === " ") this.acts.play();
    else if (/^[a-z]$/i.test(event.key)) this.#give(event.key.toUpperCase());
    else return;
    event.preventDefault();
  }

  /** @param {number} step @param {boolean} also */
  #go(step, also) {
    const last = this.paper.chosen.at(-1);
    if (last === undefined) this.#to(step > 0 ? 0 : this.paper.turns.length - 1, false);
    else if (also && this.paper.chosen.length === 2) this.#to(last + step, true, this.paper.chosen[0]);
    else this.#to(last + step, also);
  }

  /** @param {number} at @param {boolean} also @param {number} [anchor] the other one, which stays */
  #to(at, also, anchor) {
    const turn = this.paper.turns[at];
    if (!turn) return;
    if (anchor !== undefined) this.paper.choose(anchor);
    this.paper.choose(at, also);
    this.player.reveal(turn.start, turn.end);
    const doubt = unsure(turn) ? ", unsure" : "";
    this.acts.announce(`${this.paper.called(turn.speaker)}, ${clock(turn.start)} to ${clock(turn.end)}${doubt}`);
  }

  /** @param {string} key */
  #give(key) {
    const name = this.paper.names.find((_, place) => letter(place) === key);
    if (name && this.paper.current) this.acts.give(name);
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    const sideways = event.shiftKey ? event.deltaY : event.deltaX;
    if (!sideways) return;
    event.preventDefault();
    this.player.scroll(sideways);
  }
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {{solid: string, ink: string}} look
 */
function mark(pen, text, x, y, look) {
  pen.fillStyle = look.solid;
  pen.fillRect(x - 4, y - 7, 9, 14);
  pen.fillStyle = look.ink;
  pen.fillText(text, x - 3, y + 1);
}
