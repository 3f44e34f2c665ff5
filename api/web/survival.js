// What the mark of an asset lived through when it was measured: a sentence, and a table.

import { element } from "./parts.js";
import { moment } from "./words.js";

// survival: what GET …/survival answers
export function survived({ ladder, measured_at: at, passed, of, steps }) {
  const failed = steps.filter((step) => !step.found).map((step) => step.title);
  const say = `Its mark was read after ${passed} of ${of} steps of the ladder ${ladder}${failed.length ? `; not after: ${failed.join(", ")}` : ""}.`;
  const head = element("tr", {}, ...["Step", "Mark", "Bit errors"].map((name) => element("th", { scope: "col" }, name)));
  const rows = steps.map((step) =>
    element("tr", { className: step.found ? "" : "lost" }, element("th", { scope: "row" }, step.title), element("td", {}, step.found ? "read" : "not read"), element("td", {}, step.bit_errors === null ? "" : String(step.bit_errors))),
  );
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
  const details = element("details", {}, element("summary", {}, "Step by step"), table);
  return [element("p", {}, say), element("p", { className: "fine" }, at ? `Measured ${moment(at)}; a promise it is not.` : "Measured, not promised."), details];
}
