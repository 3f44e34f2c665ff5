// The history of an asset as a tree: what it was made from above, what was made from it below. Every manifest is told once.

import { compared } from "./compare.js";
import { assetAddress, developmentNote, element, fetched, isJpeg, isolated, recordAddress } from "./parts.js";
import { action, moment, percent, trust } from "./words.js";

const SHOWN = /^image\/(jpeg|png|webp|avif|heic|heif|tiff)$/;
const RELATIONS = { componentOf: "taken in as a part", inputTo: "used as an input" };
const FACTS = { media_type: "Kind", width: "Width", height: "Height", duration_ms: "Duration in ms", signer_name: "Signer", action: "Entered as", signed_at: "Signed", marks: "Mark" };

// lineage: what GET …/lineage answers; here: what to call the asset that was asked about; developer: the name whose
// certificate is a development one, if any.
export function tree(lineage, { here, developer = null }) {
  const nodes = new Map(lineage.nodes.map((node) => [node.manifest_id, node]));
  const made = new Set(lineage.edges.map((edge) => edge.child));
  const told = new Set();
  const telling = { lineage, nodes, told, here, developer };
  const roots = lineage.nodes.filter((node) => !made.has(node.manifest_id));
  // a graph in which everything was made from something has no root: then the asked one stands first
  const first = roots.length ? roots : [nodes.get(lineage.focus)];
  const list = element("ol", { className: "tree" }, ...first.map((node) => branch(node, null, telling)));
  return lineage.cut ? [list, element("p", { className: "fine" }, "There is more than is shown here.")] : [list];
}

function branch(node, edge, telling) {
  if (telling.told.has(node.manifest_id)) return element("li", {}, element("p", {}, "Also: ", link(node)));
  telling.told.add(node.manifest_id);
  const item = element("li", {}, leaf(node, edge, telling));
  if (node.manifest_id === telling.lineage.focus) item.classList.add("focus");
  const below = telling.lineage.edges.filter((one) => one.parent === node.manifest_id && telling.nodes.has(one.child));
  if (below.length) item.append(element("ol", {}, ...below.map((one) => branch(telling.nodes.get(one.child), one, telling))));
  return item;
}

function leaf(node, edge, telling) {
  const text = element("div", { className: "node-text" }, said(node, telling));
  if (edge?.inferred) text.append(element("p", { className: "fine" }, "Joined by its invisible mark; no claim says so."));
  if (RELATIONS[edge?.relationship]) text.append(element("p", { className: "fine" }, `What is above was ${RELATIONS[edge.relationship]}.`));
  if (node.withdrawn) text.append(element("p", { className: "faults" }, "Withdrawn by its signer."));
  text.append(...faults(node), element("p", { className: "step-id" }, node.asset_id ? link(node, node.manifest_id) : node.manifest_id));
  const parents = telling.lineage.edges.filter((one) => one.child === node.manifest_id).map((one) => telling.nodes.get(one.parent));
  for (const parent of parents) if (comparable(node) && parent && comparable(parent)) text.append(comparing(node, parent));
  const box = element("div", { className: "node" });
  if (comparable(node)) box.append(element("img", { src: `${assetAddress(node.asset_id)}/reference`, alt: "", loading: "lazy" }));
  box.append(text);
  return box;
}

function said(node, { lineage, here, developer }) {
  const done = node.actions.length ? node.actions.map(action).join(", ") : "Nothing is stated of how it was made";
  const line = element("p", {}, element("span", { className: "step-action" }, done));
  if (node.signer) line.append(" by ", isolated(node.signer));
  if (node.signer && node.signer === developer) line.append(" ", developmentNote());
  line.append(`, ${trust(node.trust)}`);
  if (node.at) line.append(`, ${moment(node.at)}`);
  if (node.manifest_id === lineage.focus) line.append(" ", element("strong", { className: "here" }, here));
  return line;
}

const UNLISTED = "signingCredential.untrusted";

// What fails in a manifest, now and when it was taken in. A signer on no list is no failure of the content: told, not shouted.
export function faults({ faults: now, ingest_faults: then }) {
  const lines = [];
  const others = (codes) => codes.filter((code) => code !== UNLISTED).join(", ");
  if (others(now)) lines.push(element("p", { className: "faults" }, `Fails now: ${others(now)}`));
  if (others(then)) lines.push(element("p", { className: "faults" }, `Failed when it was taken in: ${others(then)}`));
  if (then.includes(UNLISTED)) lines.push(element("p", { className: "fine" }, "Whoever took it in knew no list with its signer."));
  return lines;
}

function link(node, text = node.title || node.manifest_id) {
  return node.asset_id ? element("a", { href: recordAddress(node.asset_id) }, text) : isolated(text);
}

function comparable(node) {
  return Boolean(node.asset_id) && !node.withdrawn && SHOWN.test(node.media_type ?? "");
}

// A button that lays this asset beside the one that it was made from.
function comparing(node, parent) {
  const button = element("button", { type: "button", className: "quiet small" }, parent.title ? `Compare with “${parent.title}”` : "Compare with what it was made from");
  const room = element("div", { className: "comparing", hidden: true });
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", async () => {
    room.hidden = !room.hidden;
    button.setAttribute("aria-expanded", String(!room.hidden));
    if (room.hidden || room.childElementCount) return;
    room.append(element("p", { className: "fine", role: "status" }, "Comparing …"));
    room.replaceChildren(...difference(await askDifference(node.asset_id, parent.asset_id)));
  });
  return element("div", {}, button, room);
}

export function askDifference(child, parent) {
  return fetched(`${assetAddress(child)}/difference?from=${encodeURIComponent(parent)}&pictures=true`);
}

const AGREEMENTS = {
  fits: "The content is the same, beyond what resizing, cropping and re-encoding explain.",
  changed: "The content differs in places.",
  foreign: "The content has nothing in common.",
  undecided: "There is too little detail to compare.",
};

// What GET …/difference answers, set to be read.
export function difference(found) {
  if (!found) return [element("p", { role: "status" }, "They can’t be compared at the moment.")];
  const parts = [];
  const { content, metadata, pictures } = found;
  if (content) parts.push(element("p", {}, `${AGREEMENTS[content.agreement] ?? content.agreement} ${percent(content.score)} of what can be compared agrees.`));
  else parts.push(element("p", {}, "Their contents can’t be compared here."));
  if (isJpeg(pictures?.copy)) parts.push(compared(clean(pictures), content.changes, ["This one", "What it was made from"]));
  const lines = metadata.map(changedFact).filter(Boolean);
  if (lines.length) parts.push(element("ul", { className: "fine" }, ...lines));
  return parts;
}

// Only pictures of ours are shown, whatever an answer says.
export function clean(pictures) {
  return Object.fromEntries(["copy", "laid", "changes", "reference"].map((name) => [name, isJpeg(pictures[name]) ? pictures[name] : null]));
}

function changedFact({ field, old, new: now }) {
  const told = (value) => (value === null ? "nothing" : /^\d{4}-.*Z$/.test(value) ? moment(value) : String(value));
  if (told(old) === told(now)) return null; // within the same minute
  return element("li", {}, `${FACTS[field] ?? field}: `, isolated(told(old)), " → ", isolated(told(now)));
}
