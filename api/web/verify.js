// The verify page: takes a file or a name, asks the service, and has the answer set.

import { at, fetched, recordAddress } from "./parts.js";
import { set } from "./verdict.js";
import { percent, size } from "./words.js";

const main = at("main");
const LIMIT = Number(main.dataset.limitMb) * 2 ** 20;
const PARTS = ["legend", "working", "problem", "verdict"];

let asking = null; // the request under way
let last = null; // what to try again with

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
  asking = null;
  show("legend");
  announce("Cancelled.");
  at("file").focus();
});
at("again").addEventListener("click", () => last && ask(last));

at("naming").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = at("name").value.trim();
  if (/^https?:/i.test(name)) ask({ url: name });
  else if (name) find(name);
  else at("name").focus();
});

// One file, or a file and the credential that lies beside it.
function take(files) {
  const all = [...(files ?? [])];
  const file = all.find((one) => !isCredential(one)) ?? all[0];
  if (!file) return;
  const beside = all.find((one) => one !== file && isCredential(one));
  if (file.size > LIMIT) {
    fail({ title: "This file is too large", say: `It has ${size(file.size)}; up to ${main.dataset.limitMb} MB are looked at here.` });
  } else if (file.size === 0) {
    fail({ title: "This file is empty", say: "There is nothing in it to look at." });
  } else {
    ask({ file, beside });
  }
}

function isCredential(file) {
  return /\.c2pa$/i.test(file.name);
}

// What is known under a SHA-256 or an asset id: its record, or the sentence that feeds are told.
async function find(name) {
  announce("Looking it up.");
  const item = (await fetched(`/api/v1/feed/status?ids=${encodeURIComponent(name)}`))?.items?.[0];
  if (!item) fail({ title: "The service can’t be asked at the moment", say: "Nothing was found out." });
  else if (item.asset_id) location.assign(recordAddress(item.asset_id));
  else if (item.status === "unregistered") fail({ title: "Nothing is known under that name", say: "Neither a file of that SHA-256 nor an asset of that id was looked at here. That says nothing about it: choose the file itself." });
  else fail({ title: `Looked at here before: ${item.status}`, say: item.summary ?? "" });
}

// ——— asking ———

// wanted: { file, beside } or { url }
function ask(wanted) {
  asking?.abort();
  last = wanted;
  const name = wanted.file?.name ?? new URL(wanted.url, location.href).host;
  const request = new XMLHttpRequest(); // fetch() does not tell how far an upload is
  asking = request;
  request.open("POST", "/api/v1/verify?pictures=true");
  request.responseType = "json";
  request.setRequestHeader("Accept", "application/json");
  request.upload.addEventListener("progress", (event) => {
    if (wanted.file && event.lengthComputable && event.loaded < event.total) progress(`Sending ${name}`, event.loaded / event.total);
  });
  request.upload.addEventListener("load", () => progress(`Looking at ${name}`, null));
  request.addEventListener("load", () => answered(request, wanted));
  request.addEventListener("error", () => fail({ title: "The service can’t be reached", say: "Nothing was found out. Is it running, and are you online?", again: true }));
  progress(`Sending ${name}`, 0);
  announce(`Looking at ${name}.`);
  show("working");
  const form = new FormData();
  if (wanted.beside) form.append("credential", wanted.beside, wanted.beside.name);
  if (wanted.file) form.append("file", wanted.file, name);
  else form.append("url", wanted.url);
  request.send(form);
}

function answered(request, wanted) {
  const body = request.response;
  if (request.status === 200 && body) return conclude(body, wanted);
  if (request.status === 202 && body?.links?.self) return follow(body, request, wanted);
  const wait = request.getResponseHeader("Retry-After");
  const say = [body?.detail && `${sentence(body.detail)}`, wait && !/^Try again/.test(body?.detail) && `Try again in ${wait} seconds.`].filter(Boolean).join(" ");
  fail({ title: body?.title ?? "The service gave no answer that can be read", say, id: body?.request_id, again: request.status >= 500 });
}

// A large file is looked at by a job: ask until it is done, or until something else is wanted.
async function follow(job, request, wanted) {
  while (job && asking === request && (job.state === "queued" || job.state === "running")) {
    progress(job.state === "queued" ? "Waiting for its turn" : "Looking at it, which takes a while", null);
    await new Promise((done) => setTimeout(done, 1000));
    job = await fetched(job.links.self);
  }
  if (asking !== request) return;
  if (job?.state === "done" && job.result) conclude(job.result, wanted);
  else fail({ title: job?.problem?.title ?? "The service gave no answer that can be read", say: job?.problem?.detail ? sentence(job.problem.detail) : "", again: true });
}

function conclude(verdict, wanted) {
  asking = null;
  set(verdict, wanted);
  show("verdict");
  announce(`${verdict.status}. ${verdict.summary}`);
  at("summary").focus({ preventScroll: true });
  at("verdict").scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
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
