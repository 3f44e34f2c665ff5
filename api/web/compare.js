// Two pictures in one frame, one wiped over the other, and the places where they differ.

import { element } from "./parts.js";
import { extent, kind, place } from "./words.js";

let made = 0;

// pictures: { copy, laid, changes }, JPEGs as data: URLs, laid and changes or null; changes: boxes as fractions of the copy;
// names: [what the copy is, what is laid over it].
export function compared(pictures, changes, names) {
  const number = (made += 1);
  const under = element("img", { src: pictures.copy, alt: names[0] });
  const stage = element("div", { className: "stage", dir: "ltr" }, under);
  const figure = element("figure", { className: "compare" }, stage);
  // what differs is to be seen at once; where nothing does, half and half shows what the line is for
  if (pictures.laid) wipe(stage, pictures.laid, names, changes.length ? 94 : 50);
  const boxes = element("div", { className: "boxes", ariaHidden: "true" }, ...changes.map(box));
  stage.append(boxes);
  const caption = pictures.laid ? `${names[0]} left of the line, ${lower(names[1])} right of it. Move the line.` : names[0];
  figure.append(element("figcaption", {}, caption));
  if (changes.length) figure.append(choice(number, under, boxes, pictures), list(changes, boxes));
  return figure;
}

function wipe(stage, laid, names, share) {
  const over = element("img", { className: "over", src: laid, alt: names[1] });
  const line = element("span", { className: "line", ariaHidden: "true" });
  const slider = element("input", { type: "range", min: "0", max: "100", value: String(share), className: "wipe" });
  slider.setAttribute("aria-label", `How much of this picture shows ${lower(names[0])}; the rest shows ${lower(names[1])}`);
  const set = () => {
    stage.style.setProperty("--cut", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", `${slider.value} %`);
  };
  slider.addEventListener("input", set);
  set();
  stage.append(over, line, slider);
}

function box(change, index) {
  const made = element("span", { className: "box" }, element("b", {}, String(index + 1)));
  for (const [side, share] of [["left", change.x], ["top", change.y], ["width", change.w], ["height", change.h]]) {
    made.style.setProperty(side, `${100 * share}%`);
  }
  return made;
}

// How changed places are shown: a frame with a number, their own shape, or not at all.
function choice(number, under, boxes, pictures) {
  const plain = under.src;
  const ways = [["frames", "numbered frames"], ...(pictures.changes ? [["shapes", "their own shape"]] : []), ["none", "nothing"]];
  const field = element("fieldset", { className: "ways" }, element("legend", {}, "Show what differs as"));
  for (const [way, said] of ways) {
    const radio = element("input", { type: "radio", name: `ways-${number}`, value: way, checked: way === "frames" });
    radio.addEventListener("change", () => {
      boxes.hidden = way !== "frames";
      under.src = way === "shapes" ? pictures.changes : plain;
    });
    field.append(element("label", {}, radio, ` ${said}`));
  }
  return field;
}

function list(changes, boxes) {
  const lines = changes.map((change, index) => {
    const line = element("li", {}, `${kind(change.kind)}, ${place(change)}, ${extent(change)}.`);
    line.addEventListener("pointerenter", () => boxes.children[index].classList.add("named"));
    line.addEventListener("pointerleave", () => boxes.children[index].classList.remove("named"));
    return line;
  });
  return element("ol", { className: "places" }, ...lines);
}

function lower(text) {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
