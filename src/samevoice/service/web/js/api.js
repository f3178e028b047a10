// @ts-check
/**
 * Every question that the page may put to the service. What goes wrong is thrown as a `Problem`, in words.
 */

import { openStream } from "./stream.js";

const KEY = "samevoice-key";
const UNREACHABLE = "The service does not answer; nothing is confirmed as stored. See that it runs, then try again.";

/** @typedef {Blob | {blob: Blob, name: string}} Sound a file, or a clip of the record box */

/** Why the service did not do what it was asked. */
export class Problem extends Error {
  /**
   * @param {number} status of HTTP; 0 where there was no answer
   * @param {string} code stable short name, such as "short-speech"; "unreachable" where there was no answer
   * @param {string} detail a sentence for people
   * @param {Record<string, any>} [body] the whole problem: have, need, more, codes, reasons, retry_after
   */
  constructor(status, code, detail, body = {}) {
    super(detail);
    this.status = status;
    this.code = code;
    this.body = body;
  }
}

/** The service. It fires "locked" when the key is missing or no longer good. */
export class Api extends EventTarget {
  /** The key of the caller, for as long as the tab is open. */
  get key() {
    return sessionStorage.getItem(KEY) ?? "";
  }

  set key(value) {
    if (value) sessionStorage.setItem(KEY, value);
    else sessionStorage.removeItem(KEY);
  }

  me() { return this.#json("GET", "/v1/me"); }
  ready() { return this.#json("GET", "/readyz"); }
  models() { return this.#json("GET", "/v1/models"); }

  /** @param {Sound} first @param {Sound} second @param {{far?: number, prior?: number}} [options] */
  verify(first, second, options = {}) { return this.#json("POST", "/v1/verify", { form: { first, second, ...options } }); }

  /** @param {Sound} audio @param {{top?: number, fpir?: number, prior?: number, sequential?: boolean}} [options] */
  identify(audio, options = {}) { return this.#json("POST", "/v1/identify", { form: { audio, ...options } }); }

  /** @param {{pattern?: string, limit?: number, after?: string}} [query] */
  people(query = {}) { return this.#json("GET", `/v1/people${asked(query)}`); }

  /** @param {string} name */
  person(name) { return this.#json("GET", person(name)); }

  /**
   * @param {string} name
   * @param {Sound} audio
   * @param {{consent?: string, expires_days?: number, channel?: string, keep_audio?: boolean, again?: boolean}} [options]
   */
  enrol(name, audio, options = {}) { return this.#json("POST", "/v1/people", { form: { name, audio, ...options } }); }

  /** @param {string} name @param {Sound} audio @param {{channel?: string}} [options] */
  check(name, audio, options = {}) { return this.#json("POST", "/v1/people/check", { form: { name, audio, ...options } }); }

  /** @param {string} name @param {string} to */
  rename(name, to) { return this.#json("PATCH", person(name), { json: { name: to } }); }

  /** @param {string} name */
  remove(name) { return this.#json("DELETE", person(name)); }

  /** @param {string} name */
  undo(name) { return this.#json("POST", `${person(name)}/undo`); }

  /** @param {string} name @param {string} into */
  merge(name, into) { return this.#json("POST", `${person(name)}/merge`, { json: { into } }); }

  /** @param {string} name */
  exportPerson(name) { return this.#file(`${person(name)}/export`); }

  purge() { return this.#json("POST", "/v1/people/purge"); }

  /** @param {string} name */
  challenge(name) { return this.#json("POST", `${login(name)}/challenge`); }

  /** @param {string} name @param {Sound} audio @param {{challenge?: string}} [options] */
  login(name, audio, options = {}) {
    return this.#json("POST", login(name), { form: { audio, ...options } });
  }

  /** @param {number} [seconds] */
  thresholds(seconds) { return this.#json("GET", `/v1/thresholds${asked({ seconds })}`); }

  /** @param {{name?: string, last?: number}} [query] */
  audit(query = {}) { return this.#json("GET", `/v1/audit${asked(query)}`); }

  auditCheck() { return this.#json("GET", "/v1/audit/check"); }
  system() { return this.#json("GET", "/v1/system"); }

  /**
   * @param {Sound} audio
   * @param {{reference?: Sound, names?: boolean, length?: number, step?: number}} [options]
   */
  timeline(audio, options = {}) { return this.#json("POST", "/v1/timeline", { form: { audio, ...options } }); }

  /**
   * @param {Sound} audio
   * @param {{speakers?: number, least?: number, most?: number, names?: boolean}} [options]
   * @param {(share: number) => void} [sent] told how much of the upload is through, 0 to 1
   */
  diarize(audio, options = {}, sent) {
    return this.#json("POST", "/v1/diarize", { form: { audio, ...options }, sent });
  }

  jobs() { return this.#json("GET", "/v1/diarize"); }

  /** @param {string} id */
  job(id) { return this.#json("GET", job(id)); }

  /** @param {string} id */
  result(id) { return this.#json("GET", `${job(id)}/result`); }

  /** @param {string} id @param {{edit: string, [field: string]: any}} edit */
  edit(id, edit) { return this.#json("POST", `${job(id)}/edits`, { json: edit }); }

  /** @param {string} id */
  removeJob(id) { return this.#json("DELETE", job(id)); }

  /** @param {string} id @param {string} format */
  exportJob(id, format) { return this.#file(`${job(id)}/export/${encodeURIComponent(format)}`); }

  /** @param {string} id @param {number} points */
  peaks(id, points) { return this.#json("GET", `${job(id)}/peaks${asked({ points })}`); }

  /**
   * An address that an audio element may play: the service's own where no key is needed, else of a copy in memory.
   * @param {string} id
   * @returns {Promise<{url: string, release: () => void}>}
   */
  async jobAudio(id) {
    if (!this.key) return { url: `${job(id)}/audio`, release: () => undefined };
    const url = URL.createObjectURL((await this.#file(`${job(id)}/audio`)).blob);
    return { url, release: () => URL.revokeObjectURL(url) };
  }

  /**
   * Send sound while it comes and hear what is found; see `openStream`.
   * @param {{rate: number, names?: boolean, coach?: boolean}} options
   * @param {(event: any) => void} onEvent
   * @param {() => void} [onClose]
   */
  stream(options, onEvent, onClose) {
    return openStream({ ...(this.key ? { key: this.key } : {}), ...options }, onEvent, onClose);
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {{form?: Record<string, any>, json?: any, sent?: (share: number) => void}} [content]
   */
  async #json(method, path, content = {}) {
    const answer = await this.#ask(method, path, content);
    return answer.status === 204 ? null : await told(answer.json());
  }

  /** @param {string} path @returns {Promise<{blob: Blob, name: string}>} */
  async #file(path) {
    const answer = await this.#ask("GET", path, {});
    const name = /filename="?([^";]+)"?/.exec(answer.headers.get("content-disposition") ?? "")?.[1] ?? "export";
    return { blob: await told(answer.blob()), name };
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {{form?: Record<string, any>, json?: any, sent?: (share: number) => void}} content
   * @returns {Promise<Response>}
   */
  async #ask(method, path, { form, json, sent }) {
    /** @type {Record<string, string>} */
    const headers = this.key ? { Authorization: `Bearer ${this.key}` } : {};
    if (json !== undefined) headers["Content-Type"] = "application/json";
    const body = form ? multipart(form) : json === undefined ? undefined : JSON.stringify(json);
    const answer = await told(sent ? uploaded(method, path, headers, body, sent) : fetch(path, { method, headers, body, cache: "no-store" }));
    if (answer.ok) return answer;
    const found = await answer.json().catch(() => ({}));
    const detail = found.detail ?? found.title ?? `The service answered with status ${answer.status}`;
    if (answer.status === 401) this.dispatchEvent(new Event("locked"));
    throw new Problem(answer.status, found.code ?? "http", String(detail), found);
  }
}

/** @template T @param {Promise<T>} coming */
async function told(coming) {
  try {
    return await coming;
  } catch {
    throw new Problem(0, "unreachable", UNREACHABLE);
  }
}

/**
 * `fetch` does not tell how much of a long upload is through.
 * @param {string} method @param {string} path @param {Record<string, string>} headers @param {any} body
 * @param {(share: number) => void} sent
 * @returns {Promise<Response>}
 */
function uploaded(method, path, headers, body, sent) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open(method, path);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => sent(event.total ? event.loaded / event.total : 0));
    request.addEventListener("load", () => done(new Response(request.responseText || null, { status: request.status })));
    request.addEventListener("error", failed);
    request.send(body);
  });
}

/** @param {Record<string, any>} fields */
function multipart(fields) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === null || value === "") continue;
    if (value instanceof Blob) form.append(name, value);
    else if (value.blob) form.append(name, value.blob, value.name);
    else form.append(name, String(value));
  }
  return form;
}

/** @param {Record<string, any>} query */
function asked(query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : "";
}

/** @param {string} name */
const person = (name) => `/v1/people/${named(name)}`;

/** @param {string} name */
const login = (name) => `/v1/login/${named(name)}`;

/** A name in a path; browsers take "." and ".." for folders, even encoded. @param {string} name */
const named = (name) => encodeURIComponent(name) + (/^\.\.?$/.test(name) ? "%20" : "");

/** @param {string} id */
const job = (id) => `/v1/diarize/${encodeURIComponent(id)}`;

/** Let the reader keep a file. @param {{blob: Blob, name: string}} file */
export function save({ blob, name }) {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
