// The verify page: takes a file, asks the service, sets the answer. Text only ever enters as text.

import { MEANINGS, action, lights, moment, percent, signedAt, size, stated, trust, unchecked } from "./words.js";

const at = (id) => document.getElementById(id);
const main = at("main");
const LIMIT = Number(main.dataset.limitMb) * 2 ** 20;
const PARTS = ["legend", "working", "problem", "verdict"];

let asking = null; // the request under way
let last = null; // the file to try again with

// ——— taking a file ———

at("file").addEventListener("change", (event) => {
  take(event.target.files);
  event.target.value = ""; // so that the same file can be chosen again
});
document.addEventListener("paste", (event) => take(event.clipboardData?.files));
document.addEventListener("dragover", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  at("drop").classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) at("drop").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  at("drop").classList.remove("over");
  if (!event.dataTransfer?.files.length) return;
  event.preventDefault();
  take(event.dataTransfer.files);
});
at("cancel").addEventListener("click", () => {
  asking?.abort();
  show("legend");
  announce("Cancelled.");
  at("file").focus();
});
at("again").addEventListener("click", () => last && ask(last));

function take(files) {
  const file = files?.[0];
  if (!file) return;
  last = file;
  if (file.size > LIMIT) {
    fail({ title: "This file is too large", say: `It has ${size(file.size)}; up to ${main.dataset.limitMb} MB are looked at here.` });
  } else if (file.size === 0) {
    fail({ title: "This file is empty", say: "There is nothing in it to look at." });
  } else {
    ask(file);
  }
}

// ——— asking ———

function ask(file) {
  asking?.abort();
  const request = new XMLHttpRequest(); // fetch() does not tell how far an upload is
  asking = request;
  request.open("POST", "/api/v1/verify?pictures=true");
  request.responseType = "json";
  request.setRequestHeader("Accept", "application/json");
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable && event.loaded < event.total) progress(`Sending ${file.name}`, event.loaded / event.total);
  });
  request.upload.addEventListener("load", () => progress(`Looking at ${file.name}`, null));
  request.addEventListener("load", () => answered(request, file));
  request.addEventListener("error", () => fail({ title: "The service can’t be reached", say: "Nothing was found out. Is it running, and are you online?", again: true }));
  progress(`Sending ${file.name}`, 0);
  announce(`Looking at ${file.name}.`);
  show("working");
  const form = new FormData();
  form.append("file", file, file.name);
  request.send(form);
}

function answered(request, file) {
  const body = request.response;
  if (request.status === 200 && body) {
    set(body, file);
    return;
  }
  const wait = request.getResponseHeader("Retry-After");
  const say = [body?.detail && `${sentence(body.detail)}`, wait && `Try again in ${wait} seconds.`].filter(Boolean).join(" ");
  fail({ title: body?.title ?? "The service gave no answer that can be read", say, id: body?.request_id, again: request.status >= 500 });
}

function sentence(text) {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

// ——— showing ———

function show(part) {
  for (const name of PARTS) at(name).hidden = name !== part;
  document.body.classList.toggle("answered", part === "verdict");
  main.setAttribute("aria-busy", String(part === "working"));
}

function announce(text) {
  at("announce").textContent = text;
}

function progress(text, share) {
  at("working-say").textContent = share === null ? `${text} …` : `${text}, ${percent(share)}`;
  if (share === null) at("working-bar").removeAttribute("value");
  else at("working-bar").value = share;
}

function fail({ title, say, id, again }) {
  asking = null;
  at("problem-title").textContent = title;
  at("problem-say").textContent = say ?? "";
  at("problem-id").textContent = id ? `Request ${id}` : "";
  at("again").hidden = !again;
  announce("");
  show("problem");
}

function set(verdict, file) {
  asking = null;
  main.dataset.status = verdict.status;
  at("file-line").replaceChildren(...fileLine(verdict.asset, file));
  at("word").textContent = verdict.status;
  at("summary").textContent = verdict.summary;
  at("meaning").textContent = MEANINGS[verdict.status] ?? "";
  at("lights").replaceChildren(...lights(verdict).map(lamp));
  fill("plates", plates(verdict));
  const facts = signedFacts(verdict);
  at("signed-facts").replaceChildren(...facts);
  at("signed").hidden = facts.length === 0;
  at("reasons").replaceChildren(...verdict.reasons.map((reason) => element("li", {}, reason.say)));
  at("why").hidden = verdict.reasons.length === 0;
  at("unchecked-list").replaceChildren(...notChecked(verdict.not_checked));
  at("steps").replaceChildren(...verdict.history.map((item) => step(item, verdict.credential.signer)));
  at("history").hidden = verdict.history.length === 0;
  at("raw").textContent = JSON.stringify({ ...verdict, pictures: undefined }, null, 2);
  at("colophon").textContent = colophon(verdict.inputs);
  show("verdict");
  announce(`${verdict.status}. ${verdict.summary}`);
  at("summary").focus({ preventScroll: true });
  at("verdict").scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// Names come from files and certificates: isolated, so that none can reorder the text around it.
const isolated = (text) => element("bdi", {}, text);

function fill(id, children) {
  at(id).replaceChildren(...children);
  at(id).hidden = children.length === 0;
}

function fileLine(asset, file) {
  const facts = [asset.media_type, asset.width && `${asset.width} × ${asset.height}`, size(file.size)].filter(Boolean);
  return [element("span", { className: "file-name" }, isolated(file.name)), ` ${facts.join(", ")}`];
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

function plates(verdict) {
  const pictures = verdict.pictures ?? {};
  const fit = verdict.mark.fit === null ? "" : `, ${percent(verdict.mark.fit)} agrees`;
  const places = verdict.changes.length;
  const captions = {
    copy: [pictures.reference ? "This copy" : "This file", "The file that you chose"],
    reference: [`What is registered${fit}`, "The picture that is registered"],
    changes: [places ? `Where they differ: ${places} place${places === 1 ? "" : "s"}` : "Where they differ", "The places where the copy differs from what is registered"],
  };
  return Object.entries(captions)
    .filter(([name]) => pictures[name]?.startsWith("data:image/jpeg;base64,"))
    .map(([name, [caption, alt]]) => element("figure", {}, element("img", { src: pictures[name], alt }), element("figcaption", {}, caption)));
}

function signedFacts({ credential, signals }) {
  if (!credential.signer) return [];
  const who = [isolated(credential.signer.name || "a signer without a name")];
  if (credential.signer.development) who.push(" ", developmentNote());
  const rows = [["Signed by", who], ["Signed on", [signedAt(credential.time)]]];
  const phrase = stated(signals);
  if (phrase) rows.push(["The signer states", [phrase]]);
  if (credential.trust_list) rows.push(["Trust list", [credential.trust_list]]);
  return rows.flatMap(([term, told]) => [element("dt", {}, term), element("dd", {}, ...told)]);
}

function developmentNote() {
  return element("span", { className: "development" }, "development certificate");
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
  if (item.faults.length) made.append(element("p", { className: "faults" }, `Fails now: ${item.faults.join(", ")}`));
  if (item.ingest_faults.length) made.append(element("p", { className: "faults" }, `Failed when it was taken in: ${item.ingest_faults.join(", ")}`));
  made.append(element("p", { className: "step-id" }, item.manifest_id));
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
