// What can be heard or moves: a player, and a timeline of where the mark runs and what changed.

import { element } from "./parts.js";

const LEAST_S = 0.25; // of a stretch that is drawn
const SAY = { replaced: "other sound", silenced: "silenced", cut: "it goes on at another place of what was signed" };

let address = null; // of the file that is played; given back when another comes

// The children of the player: none for a file that is neither heard nor moves. Nothing is sent: the file plays from here.
export function player({ asset, mark, changes }, file) {
  if (address) URL.revokeObjectURL(address);
  address = null;
  const kind = (asset.media_type ?? "").split("/")[0];
  if (kind !== "audio" && kind !== "video") return [];
  const sound = kind === "audio" && file ? element("audio", { controls: true, preload: "metadata" }) : null;
  if (sound) {
    address = URL.createObjectURL(file);
    sound.src = address;
    sound.setAttribute("aria-label", "The file that you chose");
  }
  const spans = mark.spans ?? [];
  const timed = changes.filter((change) => change.start_s !== null && change.start_s !== undefined);
  const length = Math.max(0, (asset.duration_ms ?? 0) / 1000, ...[...spans, ...timed].map((part) => part.end_s));
  const figure = element("figure", { className: "heard" });
  if (sound) figure.append(sound);
  if (length > 0 && (spans.length || timed.length)) figure.append(timeline(spans, timed, length, sound), legend(spans, timed), list(spans, timed, sound));
  return figure.childElementCount ? [figure] : [];
}

function timeline(spans, timed, length, sound) {
  const strip = element("div", { className: "timeline", dir: "ltr", ariaHidden: "true" });
  const lay = (part, name) => {
    const stretch = element("span", { className: name });
    stretch.style.left = `${(100 * part.start_s) / length}%`;
    stretch.style.width = `${(100 * Math.max(part.end_s - part.start_s, LEAST_S)) / length}%`;
    strip.append(stretch);
  };
  for (const span of spans) if (span.marked) lay(span, "marked");
  for (const change of timed) lay(change, "changed");
  if (sound) {
    const needle = element("span", { className: "needle" });
    strip.append(needle);
    sound.addEventListener("timeupdate", () => needle.style.setProperty("left", `${(100 * sound.currentTime) / length}%`));
    strip.addEventListener("click", (event) => {
      const frame = strip.getBoundingClientRect();
      sound.currentTime = ((event.clientX - frame.left) / frame.width) * length;
    });
  }
  return strip;
}

function legend(spans, timed) {
  const said = [];
  if (spans.some((span) => span.marked)) said.push("Full bar: the mark runs there.");
  if (spans.some((span) => !span.marked)) said.push("Empty: replaced, or nothing there to carry it.");
  if (timed.length) said.push("Framed: not what was signed.");
  return element("figcaption", {}, said.join(" "));
}

// The same in words; where a player is, each line goes there.
function list(spans, timed, sound) {
  const gaps = spans.filter((span) => !span.marked && !timed.some((change) => change.start_s < span.end_s && change.end_s > span.start_s));
  const parts = [
    ...timed.map((change) => [change, `Changed: ${SAY[change.kind] ?? change.kind}`]),
    ...gaps.map((gap) => [gap, "No mark"]),
  ].sort(([one], [other]) => one.start_s - other.start_s);
  const line = ([part, say]) => {
    const text = `${clock(part.start_s)}–${clock(part.end_s)}`;
    if (!sound) return element("li", {}, `${text}  ${say}`);
    const go = element("button", { type: "button", className: "quiet" }, text);
    go.setAttribute("aria-label", `Play from ${clock(part.start_s)}`);
    go.addEventListener("click", () => {
      sound.currentTime = Math.max(0, part.start_s - 1);
      sound.play();
    });
    return element("li", {}, go, ` ${say}`);
  };
  return element("ul", { className: "stretches" }, ...parts.map(line));
}

export function clock(seconds) {
  const halves = Math.round(seconds * 2);
  const whole = Math.floor(halves / 2);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}${halves % 2 ? ".5" : ""}`;
}
