// The record of one asset: a page to link to. Text only ever enters as text.

import { moment } from "./words.js";

const at = (id) => document.getElementById(id);
const id = decodeURIComponent(location.pathname.split("/").pop());
const here = `/api/v1/assets/${encodeURIComponent(id)}`;
const KINDS = {
  captured: "Signed as it was captured", edited: "Signed as an edit", rendition: "Signed as a rendition, without editorial change",
  registered: "Registered as it came", bound: "A binding was noted", revoked: "The signer’s certificate was revoked",
  withdrawn: "Withdrawn by its signer", judged: "Judged anew", reviewed: "Reviewed by a person", consent: "Consent noted", erased: "Details erased",
};
const TIMES = { trusted: "by a trusted time stamp", queued: "time stamp still to come", absent: "by the signer’s own clock" };

const [asset, trail, statuses] = await Promise.all(
  [here, `${here}/trail?ancestors=true`, `/api/v1/feed/status?ids=${encodeURIComponent(id)}`].map((address) =>
    fetch(address).then((answer) => (answer.ok ? answer.json() : { failed: answer.status })).catch(() => ({ failed: 0 })),
  ),
);
at("main").removeAttribute("aria-busy");
if (asset.failed !== undefined) fail(asset.failed);
else show();

function fail(status) {
  at("problem-title").textContent = status === 404 ? "No such record" : "The record can’t be shown";
  at("problem-say").textContent = status === 404 ? "Nothing is registered here under this address." : "The service did not answer. Try again later.";
  at("problem").hidden = false;
}

function show() {
  const status = statuses.items?.[0];
  at("summary").textContent = status?.summary ?? `Registered ${moment(asset.created_at)}.`;
  at("meaning").textContent = asset.withdrawn_at ? `Its signer withdrew it on ${moment(asset.withdrawn_at)}.` : "";
  at("badge").setAttribute("asset", asset.id);
  if (asset.links.reference) picture();
  const { signer, signed_at: signed, time_state: time } = asset.credential;
  const size = asset.width ? `, ${asset.width} × ${asset.height} pixels` : "";
  at("signed").append(
    ...pair("Signer", signer.name || "—", signer.development ? "development certificate" : ""),
    ...pair("Signed", `${moment(signed)}, ${TIMES[time] ?? "time not established"}`),
    ...pair("Registered", moment(asset.created_at)),
    ...pair("Kind", `${asset.media_type}${size}`),
    ...pair("Manifest", asset.credential.manifest_id),
    ...pair("SHA-256", asset.sha256),
  );
  fill("bindings", asset.bindings.map((one) => item(`${one.alg}: ${one.value}`)), "Nothing but its own bytes.");
  fill("family", [...asset.parents.map((one) => relative("Made from", one)), ...asset.children.map((one) => relative("Made into", one))], "Nothing that is registered here.");
  fill("steps", (trail.entries ?? []).map(step), "Nothing was noted, or it can’t be read now.");
  document.title = `${signer.name || "A record"}, ${moment(signed)} · Colophon`;
  at("record").hidden = false;
}

function picture() {
  const image = made("img");
  image.src = asset.links.reference;
  image.alt = "The small copy that content is compared with";
  const figure = made("figure");
  figure.append(image, made("figcaption", "The small copy that content is compared with"));
  at("plates").append(figure);
  at("plates").hidden = false;
}

function step(entry) {
  const line = made("li");
  line.append(made("p", KINDS[entry.kind] ?? entry.kind), made("p", moment(entry.at), "fine"));
  const other = entry.asset_id && entry.asset_id !== asset.id;
  if (other) line.append(relative("Of", entry.asset_id, "p"));
  const place = entry.seq === null ? "Its place in the log is still to come." : `Entry ${entry.seq} of the log, ${entry.digest}`;
  line.append(made("p", place, "step-id"));
  return line;
}

function relative(word, other, kind = "li") {
  const line = made(kind, `${word} `);
  const link = made("a", other);
  link.href = `/assets/${encodeURIComponent(other)}`;
  line.append(link);
  return line;
}

function pair(name, value, more = "") {
  const said = made("dd", value);
  if (more) said.append(" ", made("span", more, "development"));
  return [made("dt", name), said];
}

function fill(list, lines, otherwise) {
  at(list).append(...(lines.length ? lines : [item(otherwise)]));
}

function item(text) {
  return made("li", text);
}

function made(name, text = "", kind = "") {
  const element = document.createElement(name);
  if (text) element.textContent = text;
  if (kind) element.className = kind;
  return element;
}
