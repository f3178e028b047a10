// @ts-check
/**
 * How the service is, asked again and again while somebody looks.
 */

import { fill, h, sentence } from "../dom.js";

const EVERY = 5_000; // milliseconds

/**
 * @param {import("../app.js").Context} context
 * @returns {{element: HTMLElement, stop: () => void}}
 */
export function system({ api }) {
  let timer = 0;
  let left = false;
  const list = h("dl", { class: "facts", id: "system" });
  const notice = h("p", { class: "notice bad", role: "alert" });

  async function ask() {
    clearTimeout(timer);
    try {
      const found = await api.system();
      notice.textContent = "";
      fill(list, facts(found).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
    } catch (problem) {
      notice.textContent = sentence(/** @type {Error} */ (problem).message);
    }
    clearTimeout(timer);
    if (!left && !document.hidden) timer = setTimeout(ask, EVERY);
  }

  const seen = () => { if (!document.hidden) ask(); };
  document.addEventListener("visibilitychange", seen);
  ask();
  const element = h(
    "section",
    { class: "card", "aria-labelledby": "system-title" },
    h("h2", { id: "system-title" }, "System"),
    notice,
    list,
    h("p", { class: "hint" }, `Asked every ${EVERY / 1000} s while this page is seen.`),
  );
  return {
    element,
    stop() {
      left = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    },
  };
}

/** @param {any} found @returns {[string, string][]} */
function facts(found) {
  const count = (/** @type {number} */ value) => value.toLocaleString("en-GB");
  const jobs = Object.entries(found.jobs ?? {}).filter(([, value]) => value).map(([state, value]) => `${value} ${state}`);
  return [
    ["Running for", running(found.uptime)],
    ["At work", `${found.running} of ${found.workers} workers, ${count(found.waiting)} waiting`],
    ["Meetings", jobs.join(", ") || "none"],
    ["Memory", found.memory_mb === null ? "not known" : `${count(Math.round(found.memory_mb))} MB`],
    ["Requests answered", count(found.requests)],
    ["People", count(found.people)],
    ["Gallery", found.gallery],
    ["Model", found.model],
    ["Version", found.version],
  ];
}

/** @param {number} seconds */
function running(seconds) {
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  return hours ? `${hours} h ${minutes} min` : `${minutes} min ${Math.floor(seconds % 60)} s`;
}
