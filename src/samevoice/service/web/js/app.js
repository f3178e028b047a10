// @ts-check
/**
 * The frame of the page: which view is shown, whether the service answers, and whether it wants a key.
 *
 * A view is a module of `views/` with `view(root, context)`, which may return what to do when it is left.
 */

import { Api, Problem } from "./api.js";
import { actor, field, h, sentence } from "./dom.js";

/** @typedef {{api: Api, announce: (text: string) => void, me: any}} Context */

/** Views by the name in the address, with the style sheet that only they need. @type {Record<string, string | null>} */
const VIEWS = { same: null, enrol: null, who: null, timeline: "css/timeline.css", operators: "css/operators.css", local: null };
const ALONE = new Set(["local"]); // what needs no service, and so no key

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const announcer = /** @type {HTMLElement} */ (document.getElementById("announcer"));
const api = new Api();
/** @type {Context | null} */
let context = null;
/** @type {(() => void) | null} */
let leave = null;
let turns = 0;

/** Say something to those who listen to the page. @param {string} text */
function announce(text) {
  announcer.textContent = "";
  setTimeout(() => { announcer.textContent = text; }, 50); // the same words twice are said twice
}

/** @param {HTMLElement} content */
function show(content) {
  leave?.();
  leave = null;
  main.replaceChildren(content);
}

/** Begin to read at the top of what is shown. */
function focusHeading() {
  const heading = main.querySelector("h1");
  heading?.setAttribute("tabindex", "-1");
  heading?.focus();
  scrollTo(0, 0);
}

/** Ask who we are; without an answer, say so. @param {boolean} [moved] as for `route` */
async function start(moved = false) {
  const turn = (turns += 1);
  try {
    const me = await api.me();
    context = { api, announce, me };
    const version = document.getElementById("version");
    if (version) version.textContent = ` · version ${me.version}${me.keys ? ` · you are ${me.name} (${me.role})` : ""}`;
    await route(moved);
  } catch (problem) {
    if (turn !== turns) return;
    if (problem instanceof Problem && problem.status === 401) askKey();
    else trouble(problem);
  }
}

/** Show the view of the address. @param {boolean} moved whether the reader went there, so that focus follows */
async function route(moved) {
  const wanted = location.hash.replace(/^#\//, "");
  const name = wanted in VIEWS ? wanted : "same";
  if (!context && !ALONE.has(name)) return start(moved);
  const turn = (turns += 1);
  for (const link of document.querySelectorAll("nav a")) {
    const here = link.getAttribute("href") === `#/${name}`;
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    if (here) document.title = `${link.textContent} · samevoice`;
  }
  try {
    const [module] = await Promise.all([import(`./views/${name}.js`), styled(VIEWS[name])]);
    if (turn !== turns) return;
    const root = h("div", { class: "view", id: `view-${name}` });
    show(root);
    leave = module.view(root, context ?? { announce }) ?? null;
    document.body.dataset.view = name;
    if (moved) focusHeading();
  } catch (problem) {
    if (turn === turns) trouble(problem);
  }
}

/** Load a style sheet once. @param {string | null} path */
function styled(path) {
  if (!path || document.querySelector(`link[href="${path}"]`)) return Promise.resolve();
  return new Promise((done) => {
    document.head.append(h("link", { rel: "stylesheet", href: path, onload: done, onerror: done }));
  });
}

/** Ask for the key that the service wants. */
function askKey() {
  const input = h("input", { type: "password", name: "key", autocomplete: "off", spellcheck: "false", required: true });
  const told = h("p", { class: "notice bad", role: "alert" }, api.key ? "This key is not known, or has expired." : null);
  const form = h(
    "form",
    {
      class: "card",
      id: "keyform",
      onsubmit: async (/** @type {Event} */ event) => {
        event.preventDefault();
        api.key = input.value.trim();
        await start();
      },
    },
    h("h1", {}, "A key, please"),
    h("p", { class: "lead" }, "This service answers only those who have a key. Whoever runs it can give you one."),
    field("Key", input, "It is kept for this tab only, and forgotten when you close it."),
    told,
    h("div", { class: "row" }, h("button", { class: "main", type: "submit" }, "Continue")),
  );
  show(h("div", { class: "view" }, form));
  input.focus();
}

/** Nothing can be shown, and why. @param {unknown} problem */
function trouble(problem) {
  const words = problem instanceof Problem ? sentence(problem.message) : "This part of the page cannot be loaded. See that the service runs, then try again.";
  const again = actor("Try again", () => route(false), { class: "main" });
  const told = h("div", { class: "card" }, h("h1", {}, "No answer"), h("p", { role: "alert" }, words), h("div", { class: "row" }, again));
  show(h("div", { class: "view" }, told));
  focusHeading();
}

api.addEventListener("locked", () => {
  if (!context) return; // `start` asks
  context = null;
  turns += 1;
  askKey();
});
document.querySelector(".skip")?.addEventListener("click", (event) => {
  event.preventDefault(); // the address names the view
  main.focus();
});
// A file dropped beside its box must not replace the page.
for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());
addEventListener("hashchange", () => route(true));
route(false);
