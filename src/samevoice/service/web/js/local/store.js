// @ts-check
/**
 * Voiceprints that this browser keeps, and nobody else: in IndexedDB, in the clear.
 */

import { Problem } from "../api.js";

const DATABASE = "samevoice";
const PRINTS = "voiceprints";

/** @typedef {{name: string, vector: number[], seconds: number, model: string, made: string}} Voiceprint made: when, in ISO 8601 */

/** @returns {Promise<IDBDatabase>} */
function opened() {
  return new Promise((done, fail) => {
    const request = indexedDB.open(DATABASE, 1);
    request.addEventListener("upgradeneeded", () => request.result.createObjectStore(PRINTS, { keyPath: "name" }));
    request.addEventListener("success", () => done(request.result));
    request.addEventListener("error", () => fail(request.error));
  });
}

/**
 * Do one thing, wholly or not at all.
 * @template T
 * @param {IDBTransactionMode} mode
 * @param {(prints: IDBObjectStore) => IDBRequest<T>} act
 * @returns {Promise<T>}
 * @throws {Problem} the browser refuses
 */
async function changed(mode, act) {
  const database = await opened().catch(refused);
  try {
    return await new Promise((done, fail) => {
      const transaction = database.transaction(PRINTS, mode);
      const request = act(transaction.objectStore(PRINTS));
      transaction.addEventListener("complete", () => done(request.result));
      for (const kind of ["error", "abort"]) transaction.addEventListener(kind, () => fail(transaction.error));
    }).catch(refused);
  } finally {
    database.close();
  }
}

/** @returns {never} */
function refused() {
  throw new Problem(0, "local", "This browser keeps nothing here: its storage is full, or this is a private window. Make room, or use another window.");
}

/** All of them, by name. @returns {Promise<Voiceprint[]>} */
export const all = () => changed("readonly", (prints) => prints.getAll());

/** Keep one; an earlier one of that name is replaced. @param {Voiceprint} print */
export const keep = (print) => changed("readwrite", (prints) => prints.put(print));

/** @param {string} name */
export const remove = (name) => changed("readwrite", (prints) => prints.delete(name));

/** Forget all. */
export const clear = () => changed("readwrite", (prints) => prints.clear());
