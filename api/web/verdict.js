// A verdict, set on the verify page.

import { compared } from "./compare.js";
import { keeping } from "./keep.js";
import { assetAddress, at, developmentNote, element, facts, fetched, fill, isolated, recordAddress } from "./parts.js";
import { player } from "./player.js";
import { survived } from "./survival.js";
import { clean, faults, tree } from "./tree.js";
import { action, lights, meaning, moment, percent, signedAt, size, stated, training, trust, unchecked } from "./words.js";

// Verdicts whose asset is the file's own origin; in the others the layers point elsewhere, and the file's own history stays.
const OF_THE_ASSET = ["trusted", "valid", "recovered", "altered", "revoked"];

let shown = null; // the verdict on the page

export function set(verdict, { file, url }) {
  shown = verdict;
  at("main").dataset.status = verdict.status;
  at("file-line").replaceChildren(...fileLine(verdict.asset, file ?? { name: url }));
  at("word").textContent = verdict.status;
  at("summary").textContent = verdict.summary;
  at("meaning").textContent = meaning(verdict);
  at("lights").replaceChildren(...lights(verdict).map(lamp));
  fill("player", player(verdict, file));
  fill("plates", plates(verdict));
  const signed = signedFacts(verdict);
  at("signed-facts").replaceChildren(...signed);
  at("signed").hidden = signed.length === 0;
  at("reasons").replaceChildren(...verdict.reasons.map((reason) => element("li", {}, reason.say)));
  at("why").hidden = verdict.reasons.length === 0;
  at("unchecked-list").replaceChildren(...notChecked(verdict.not_checked));
  at("steps").replaceChildren(element("ol", { className: "tree" }, ...verdict.history.map((item) => step(item, verdict.credential.signer))));
  at("history").hidden = verdict.history.length === 0;
  at("survival").hidden = at("record").hidden = true;
  if (verdict.asset.id && OF_THE_ASSET.includes(verdict.status)) consult(verdict);
  at("raw").textContent = JSON.stringify({ ...verdict, pictures: undefined }, null, 2);
  at("colophon").textContent = colophon(verdict.inputs);
}

function fileLine(asset, file) {
  const told = [asset.media_type, asset.width && `${asset.width} × ${asset.height}`, file.size && size(file.size)].filter(Boolean);
  return [element("span", { className: "file-name" }, isolated(file.name)), ` ${told.join(", ")}`];
}

function lamp({ name, state, word, say }) {
  const shape = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  shape.setAttribute("class", "lamp");
  shape.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#light-${state}`);
  shape.append(use);
  const item = element("li", { className: `light ${state}` });
  item.append(
    shape,
    element("p", { className: "light-name" }, name, element("span", { className: "visually-hidden" }, ": ")),
    element("p", { className: "light-word" }, word),
    element("p", { className: "light-say" }, say),
  );
  return item;
}

// The copy with the registered picture to wipe over it, where one lies in the other; else one beside the other.
function plates(verdict) {
  const pictures = clean(verdict.pictures ?? {});
  const fit = verdict.mark.fit === null ? "" : `, ${percent(verdict.mark.fit)} agrees`;
  if (pictures.copy && pictures.laid) return [compared(pictures, verdict.changes, ["This copy", "What is registered"])];
  const captions = { copy: [pictures.reference ? "This copy" : "This file", "The file that you chose"], reference: [`What is registered${fit}`, "The picture that is registered"] };
  return Object.entries(captions)
    .filter(([name]) => pictures[name])
    .map(([name, [caption, alt]]) => element("figure", {}, element("img", { src: pictures[name], alt }), element("figcaption", {}, caption)));
}

// What the registry knows of the asset that this file belongs to: it comes after the verdict, and never holds it up.
async function consult(verdict) {
  const { asset, credential } = verdict;
  const record = await fetched(assetAddress(asset.id));
  if (!record || shown !== verdict) return; // another file was chosen meanwhile
  const [lineage, survival] = await Promise.all([fetched(record.links.lineage), record.links.survival ? fetched(record.links.survival) : null]);
  if (shown !== verdict) return;
  const developer = credential.signer?.development ? credential.signer.name : null;
  if (lineage) fill("steps", tree(lineage, { here: "what this file comes from", developer }));
  at("history").hidden = at("steps").childElementCount === 0;
  if (survival) fill("survival-table", survived(survival));
  at("survival").hidden = !survival;
  const link = element("a", { href: recordAddress(asset.id) }, "The record of this asset");
  fill("keeping", [element("p", {}, link, ", an address to share."), ...keeping(record.links.bundle)]);
  at("record").hidden = false;
}

function signedFacts({ credential, signals, declared }) {
  if (!credential.signer) return [];
  const who = [isolated(credential.signer.name || "a signer without a name")];
  if (credential.signer.development) who.push(" ", developmentNote());
  const rows = [["Signed by", who], ["Signed on", [signedAt(credential.time)]]];
  const phrase = stated(signals);
  if (phrase) rows.push(["The signer states", [phrase]]);
  if (credential.trust_list) rows.push(["Trust list", [credential.trust_list]]);
  return facts([...rows, ...declaredFacts(declared)]);
}

const HOLDS = { verified: "its signature holds", failed: "its signature does not hold" };

// What the manifest declares besides: identities, what may be learned from it, consents of people shown.
function declaredFacts({ identities = [], training: uses = {}, consents = [] } = {}) {
  const rows = identities.map(({ name, signature, trust: standing }) => [
    "Identity", [isolated(name ?? "of a kind that is not read here"), `, ${HOLDS[signature] ?? "not looked at"}, ${trust(standing)}`],
  ]);
  if (Object.keys(uses).length) rows.push(["Learning from it", [training(uses)]]);
  for (const { given, uses: for_ } of consents) rows.push(["Consent", [`given ${given}`, for_.length ? ", for " : "", isolated(for_.join(", "))]]);
  return rows;
}

function notChecked(parts) {
  if (parts.length === 0) return [element("li", {}, "Nothing was left out of what can be checked here.")];
  return parts.map((part) => element("li", {}, unchecked(part)));
}

function step(item, signer) {
  const line = [element("span", { className: "step-action" }, action(item.action)), " by ", isolated(item.signer ?? "an unknown signer")];
  if (signer?.development && item.signer === signer.name) line.push(" ", developmentNote());
  line.push(`, ${trust(item.trust)}`);
  if (item.at) line.push(`, ${moment(item.at)}`);
  const made = element("li", {}, element("p", {}, ...line));
  made.append(...faults(item), element("p", { className: "step-id" }, item.manifest_id));
  return made;
}

// The closing note: with what, and when, this was found.
function colophon(inputs) {
  const lists = Object.entries(inputs.trust_lists)
    .filter(([, digests]) => digests.length)
    .map(([kind, digests]) => `${kind === "tsa" ? "time stamp" : kind} list${digests.length === 1 ? "" : "s"} ${digests.map((digest) => digest.replace("sha256:", "").slice(0, 8)).join(", ")}`);
  const against = lists.length ? `, against ${lists.join(" and ")}` : ", against no trust list";
  return `Found on ${moment(inputs.at)} with ${inputs.validator} under policy ${inputs.policy}${against}. The same file, lists and instant give the same verdict.`;
}
