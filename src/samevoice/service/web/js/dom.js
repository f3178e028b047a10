// @ts-check
/**
 * Elements without markup in strings: text stays text, whatever a person is called.
 */

/** @typedef {Node | string | number | null | undefined | false} Child */

const SVG = "http://www.w3.org/2000/svg";
let count = 0;

/**
 * Make an element.
 * @param {string} tag
 * @param {Record<string, any>} [attributes] onX: a listener; style: an object of CSS properties; true: without a value;
 *   null, undefined, false: left out; value, checked: set as properties
 * @param {...(Child | Child[])} children
 * @returns {any} the element
 */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/**
 * The same for a picture.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {any}
 */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/**
 * @param {any} element
 * @param {Record<string, any>} attributes
 * @param {(Child | Child[])[]} children
 */
function filled(element, attributes, children) {
  element.append(...kept(children)); // first, for a select has no value before its options
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    else if (name === "value" || name === "checked") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  return element;
}

/** @param {(Child | Child[])[]} children */
function kept(children) {
  return /** @type {(Node | string)[]} */ (
    children
      .flat()
      .filter((child) => child !== null && child !== undefined && child !== false)
      .map((child) => (child instanceof Node ? child : String(child)))
  );
}

/**
 * Put other children into an element.
 * @param {Element} element
 * @param {...(Child | Child[])} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...kept(children));
}

/** An id that nothing else has. @param {string} stem */
export function unique(stem) {
  count += 1;
  return `${stem}-${count}`;
}

/**
 * A control with its label and a hint.
 * @param {string} label
 * @param {HTMLElement} control
 * @param {string} [hint]
 */
export function field(label, control, hint) {
  control.id ||= unique("field");
  const told = hint ? h("span", { class: "hint", id: unique("hint") }, hint) : null;
  if (told) control.setAttribute("aria-describedby", told.id);
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control, told);
}

/**
 * A tick box with its words.
 * @param {HTMLInputElement} box
 * @param {...Child} words
 */
export function tick(box, ...words) {
  return h("label", { class: "tick" }, box, h("span", {}, ...words));
}

/**
 * A button that shows that it is at work, and cannot be pressed twice meanwhile.
 * @param {string} text
 * @param {() => Promise<void> | void} act
 * @param {Record<string, any>} [attributes]
 */
export function actor(text, act, attributes = {}) {
  const button = h("button", { type: "button", ...attributes }, text);
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    try {
      await act();
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
  return button;
}

/** A whole sentence of a message; a name that it begins with, as of a file, stays as it is. @param {string} text */
export function sentence(text) {
  const first = /^[a-z]+[ ,]/.test(text) ? text.charAt(0).toUpperCase() : text.charAt(0);
  return first + text.slice(1).replaceAll(" %", "\u00a0%") + (/[.!?]$/.test(text) ? "" : ".");
}
