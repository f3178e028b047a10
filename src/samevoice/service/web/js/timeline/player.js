// @ts-check
/**
 * The waveform of a recording: looked at, zoomed and heard.
 *
 * Sound is fetched when it is first wanted: with a key it must come as a whole, so only from recordings that are not
 * too long. It fires "view" when another part is seen and "time" when the place of playing moves.
 */

import Regions from "../../vendor/wavesurfer/regions.esm.js";
import WaveSurfer from "../../vendor/wavesurfer/wavesurfer.esm.js";
import { h } from "../dom.js";

const LONGEST = 2 * 3600; // seconds of sound that are held in memory
const PER_SECOND = 50; // points of the outline
const MOST_POINTS = 20_000; // that the service gives
const CLOSEST = 200; // pixels a second
const WIDEST = 8_000_000; // pixels that browsers scroll without trouble
const HEIGHT = 96;

/** The waveform and its sound. */
export class Player extends EventTarget {
  /** @type {{url: string, release: () => void} | null} */
  #sound = null;
  #media = new Audio();
  #ready = false;

  /** @param {import("../api.js").Api} api @param {string} id of the job @param {number} seconds of the recording */
  constructor(api, id, seconds) {
    super();
    this.api = api;
    this.id = id;
    this.seconds = seconds;
    this.element = h("div", { class: "waveform" });
    const style = getComputedStyle(document.documentElement);
    const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    this.#media.preload = "metadata";
    this.#media.addEventListener("error", () => this.dispatchEvent(new Event("mute")));
    this.waves = WaveSurfer.create({
      container: this.element,
      media: this.#media,
      height: HEIGHT,
      waveColor: colour("--edge"),
      progressColor: colour("--accent"),
      cursorColor: colour("--accent"),
      cursorWidth: 2,
      normalize: true,
    });
    adopt(this.waves.getWrapper().getRootNode());
    this.regions = this.waves.registerPlugin(Regions.create());
    for (const name of ["scroll", "zoom", "redraw", "resize"]) this.waves.on(name, () => this.#tell("view"));
    for (const name of ["timeupdate", "play", "pause", "finish"]) this.waves.on(name, () => this.#tell("time"));
  }

  /** Fetch the outline and show it. Its place in the page must be known by then. */
  async show() {
    const points = Math.min(Math.max(Math.round(this.seconds * PER_SECOND), 200), MOST_POINTS);
    const { peaks } = await this.api.peaks(this.id, points);
    await this.waves.load("", [peaks], this.seconds);
    this.#ready = true;
    if (!this.api.key) await this.#fetch(); // an address costs nothing until it is played
    this.#tell("view");
  }

  /** Whether it plays. */
  get playing() { return this.waves.isPlaying(); }

  /** Seconds at which it is. */
  get time() { return this.waves.getCurrentTime(); }

  /** Pixels a second, and the pixel that is at the left. */
  get window() {
    const width = this.waves.getWrapper().clientWidth || this.element.clientWidth;
    return { scale: width / this.seconds, left: this.waves.getScroll() };
  }

  /** The narrowest and the widest scale in pixels a second. */
  get bounds() {
    const least = Math.max(this.waves.getWidth(), 1) / this.seconds;
    return { least, most: Math.max(Math.min(CLOSEST, WIDEST / this.seconds), least) };
  }

  /** @param {number} share 0: the whole recording is seen, 1: as close as can be */
  zoom(share) {
    if (!this.#ready) return;
    const { least, most } = this.bounds;
    this.waves.zoom(share ? least * (most / least) ** share : 0);
    this.#tell("view");
  }

  /** @param {number} pixels to the right */
  scroll(pixels) {
    this.waves.setScroll(this.waves.getScroll() + pixels);
  }

  /** Bring seconds into sight. @param {number} start @param {number} end */
  reveal(start, end) {
    const { scale, left } = this.window;
    const width = this.waves.getWidth();
    if (start * scale >= left && end * scale <= left + width) return;
    this.waves.setScroll(Math.max(start * scale - width / 4, 0));
  }

  /**
   * Play some seconds, or go on to the end.
   * @param {number} [start]
   * @param {number} [end]
   */
  async play(start, end) {
    await this.#fetch();
    await this.waves.play(start, end);
  }

  pause() { this.waves.pause(); }

  /**
   * Let the reader draw seconds on the waveform.
   * @param {(span: {start: number, end: number}) => void} drawn
   */
  drawing(drawn) {
    this.regions.enableDragSelection({ color: "rgb(128 128 128 / 30%)" });
    const told = (/** @type {any} */ region) => {
      for (const other of this.regions.getRegions()) if (other !== region) other.remove();
      drawn({ start: region.start, end: region.end });
    };
    this.regions.on("region-created", told);
    this.regions.on("region-updated", told);
  }

  /** Take away what was drawn. */
  clear() { this.regions.clearRegions(); }

  destroy() {
    this.#ready = false;
    this.waves.destroy();
    this.#media.removeAttribute("src");
    this.#sound?.release();
  }

  async #fetch() {
    if (this.#sound) return;
    if (this.api.key && this.seconds > LONGEST) {
      throw new Error("This recording is too long to be fetched with a key and played here; listen to your own copy.");
    }
    this.#sound = await this.api.jobAudio(this.id);
    this.#media.src = this.#sound.url;
  }

  /** @param {string} name */
  #tell(name) {
    if (this.#ready) this.dispatchEvent(new Event(name));
  }
}

/**
 * The waveform's own rules as a sheet that the page makes, for the page may hold no style between its tags.
 * @param {Node} root the shadow of the waveform, before it is in the page
 */
function adopt(root) {
  if (!(root instanceof ShadowRoot)) return;
  const written = root.querySelector("style");
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(written?.textContent ?? "");
  written?.remove();
  root.adoptedStyleSheets = [sheet];
}
