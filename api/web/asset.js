// The record of one asset: a page to link to.

import { keeping } from "./keep.js";
import { assetAddress, at, developmentNote, element, facts, fetched, fill, isolated, recordAddress } from "./parts.js";
import { survived } from "./survival.js";
import { askDifference, difference, tree } from "./tree.js";
import { moment } from "./words.js";

const id = decodeURIComponent(location.pathname.split("/").pop());
const here = assetAddress(id);
const KINDS = {
  captured: "Signed when it was made", edited: "Signed as an edit", rendition: "Signed as a rendition, without editorial change",
  registered: "Registered as it came", bound: "A binding was noted", revoked: "The signer’s certificate was revoked",
  withdrawn: "Withdrawn by its signer", judged: "Judged anew", reviewed: "Reviewed by a person", consent: "Consent noted", erased: "Details erased",
};
const TIMES = { trusted: "by a trusted time stamp", queued: "time stamp still to come", absent: "by the signer’s own clock" };

const answer = await fetch(here).catch(() => null);
if (answer?.ok) await show(await answer.json());
else fail(answer?.status);
at("main").removeAttribute("aria-busy");

function fail(status) {
  at("problem-title").textContent = status === 404 ? "No such record" : "The record can’t be shown";
  at("problem-say").textContent = status === 404 ? "Nothing is registered here under this address." : "The service did not answer. Try again later.";
  at("problem").hidden = false;
}

async function show(asset) {
  const { links } = asset;
  const [statuses, trail, lineage, survival] = await Promise.all(
    [`/api/v1/feed/status?ids=${encodeURIComponent(id)}`, `${links.trail}?ancestors=true`, links.lineage, links.survival].map((link) => link && fetched(link)),
  );
  const { signer } = asset.credential;
  at("summary").textContent = statuses?.items?.[0]?.summary ?? `Registered ${moment(asset.created_at)}.`;
  at("meaning").textContent = asset.withdrawn_at ? `Its signer withdrew it on ${moment(asset.withdrawn_at)}.` : "";
  at("badge").setAttribute("asset", asset.id);
  if (links.reference) fill("plates", [picture(links.reference)]);
  at("signed").append(...facts(signed(asset)));
  at("bindings").append(...(asset.bindings.length ? asset.bindings.map((one) => element("li", {}, `${one.alg}: ${one.value}`)) : [element("li", {}, "Nothing but its own bytes.")]));
  at("steps").append(...(trail?.entries ?? []).map((entry) => step(entry, asset.id)));
  if (!at("steps").childElementCount) at("steps").append(element("li", {}, "Nothing was noted, or it can’t be read now."));
  if (lineage) fill("tree", tree(lineage, { here: "the asset of this page", developer: signer.development ? signer.name : null }));
  at("history").hidden = !lineage;
  if (survival) fill("survival-table", survived(survival));
  at("survival").hidden = !survival;
  fill("keeping", keeping(links.bundle));
  document.title = `${signer.name || "A record"}, ${moment(asset.credential.signed_at)} · Colophon`;
  at("record").hidden = false;
  if (asset.parents.length && links.reference) change(asset);
}

// What was changed since the parent comes last: it is compared anew.
async function change({ id: own, parents }) {
  at("changed").hidden = false;
  fill("difference", [element("p", { className: "fine", role: "status" }, "Comparing it with what it was made from …")]);
  fill("difference", difference(await askDifference(own, parents[0])));
}

function picture(address) {
  const said = "The small copy that content is compared with";
  return element("figure", {}, element("img", { src: address, alt: said }), element("figcaption", {}, said));
}

function signed({ credential, created_at: created, media_type: kind, width, height, duration_ms: duration, sha256 }) {
  const { signer, signed_at: when, time_state: time, manifest_id: manifest } = credential;
  const size = width ? `, ${width} × ${height} pixels` : "";
  const length = duration ? `, ${(duration / 1000).toFixed(1)} s` : "";
  return [
    ["Signer", [isolated(signer.name || "—"), ...(signer.development ? [" ", developmentNote()] : [])]],
    ["Signed", [`${moment(when)}, ${TIMES[time] ?? "time not established"}`]],
    ["Registered", [moment(created)]],
    ["Kind", [`${kind}${size}${length}`]],
    ["Manifest", [manifest]],
    ["SHA-256", [sha256]],
  ];
}

function step(entry, own) {
  const line = element("li", {}, element("p", {}, KINDS[entry.kind] ?? entry.kind), element("p", { className: "fine" }, moment(entry.at)));
  if (entry.asset_id && entry.asset_id !== own) line.append(element("p", {}, "Of ", element("a", { href: recordAddress(entry.asset_id) }, entry.asset_id)));
  const place = entry.seq === null ? "Its place in the log is still to come." : `Entry ${entry.seq} of the log, ${entry.digest}`;
  line.append(element("p", { className: "step-id" }, place));
  return line;
}
