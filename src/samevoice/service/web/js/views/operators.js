// @ts-check
/**
 * What those who run the service need: people, thresholds, events, how it is.
 */

import { fill, h } from "../dom.js";
import { events } from "../operators/events.js";
import { people } from "../operators/people.js";
import { system } from "../operators/system.js";
import { thresholds } from "../operators/thresholds.js";

/**
 * @param {HTMLElement} root
 * @param {import("../app.js").Context} context
 */
export function view(root, context) {
  const heading = h("h1", {}, "Operators");
  if (context.me.role !== "admin") {
    const words = `This part is for those who run the service. Your key has the role ${context.me.role}; ask them for one with the role admin.`;
    fill(root, heading, h("p", { class: "notice", id: "closed" }, words));
    return undefined;
  }
  const health = system(context);
  fill(
    root,
    h("link", { rel: "stylesheet", href: "css/tables.css" }),
    heading,
    h("p", { class: "lead" }, "Who is enrolled, what a threshold costs, what was done, and how the service is."),
    people(context),
    thresholds(context),
    events(context),
    health.element,
  );
  return health.stop;
}
