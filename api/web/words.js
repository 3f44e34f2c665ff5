// A verdict in words. Values in, plain values out: nothing here touches the page.

// What each status means, and what it does not.
const MEANINGS = {
  trusted: "The signer is on a trust list. Whether what is shown is so, a signature cannot tell.",
  valid: "The identity of the signer can’t be verified: it is on no trust list.",
  recovered: "The credential was not in this copy. It was found again, and the content fits.",
  altered: "A credential or a mark is there, and this is not what was signed.",
  conflict: "What the file carries points in two directions. Do not rely on either.",
  revoked: "The signer’s credential was revoked, or the signer withdrew the file.",
  invalid: "There is a problem with this file’s Content Credentials, and nothing else led to its origin.",
  none: "Most files carry nothing. It is neither a good nor a bad sign.",
  unknown: "Something could not be decided. That is not the same as finding nothing.",
};

export function meaning(verdict) {
  const partly = verdict.reasons.some((reason) => ["content.partial", "content.excerpt"].includes(reason.code));
  if (verdict.status === "recovered" && partly) return "The credential was not in this copy. It was found again, and the content fits in part.";
  return MEANINGS[verdict.status] ?? "";
}

// A light is { name, state, word, say }; `state` picks a shape and a colour, `word` says the same without either.
export function lights(verdict) {
  const codes = new Set(verdict.reasons.map((reason) => reason.code));
  return [signature(verdict.credential, codes), signer(verdict.credential), mark(verdict, codes)];
}

function light(name, state, word, say) {
  return { name, state, word, say };
}

function signature(credential, codes) {
  const named = (state, word, say) => light("Signature", state, word, say);
  if (codes.has("credential.remote")) return named("unknown", "Elsewhere", "The file only points to a credential; the address was not visited.");
  if (codes.has("undecided.credential")) return named("unknown", "Not decided", "Reading it took longer than it may.");
  if (codes.has("credential.unreadable") && credential.source !== "recovered") return named("fails", "Can’t be read", "A credential is there, and it is damaged.");
  if (credential.source === "none") return named("absent", "None", "The file carries no credential.");
  if (credential.signature !== "verified") return named("fails", "Does not hold", "The signature does not belong to this claim.");
  if (credential.source === "recovered") return named("caution", "Holds, recovered", "It was found in the registry; it is not in this copy.");
  if (codes.has("credential.broken")) return named("fails", "Broken", "Parts of the credential are not what was signed.");
  if (credential.binding === "mismatch") return named("fails", "Content differs", "The signature holds; the content is not what was signed.");
  if (credential.binding !== "match") return named("unknown", "Holds, content not compared", "The signature holds; the content was not compared.");
  return named("holds", "Holds", "Not a byte that was signed has changed.");
}

function signer(credential) {
  const named = (state, word, say) => light("Signer", state, word, say);
  const list = credential.trust_list ? `List: ${credential.trust_list}.` : "";
  if (!credential.signer) return named("absent", "None", "Nobody signed what is here.");
  if (credential.revocation.state === "revoked") return named("fails", "Revoked", "The signer’s credential was revoked.");
  if (credential.signature !== "verified") return named("fails", "Not established", "A name is given, and the signature does not hold.");
  if (credential.signer.development) return named("caution", "Development certificate", "Made for trying things out. It names nobody.");
  if (credential.trust === "trusted") return named("holds", "On a trust list", list);
  if (credential.trust === "expired") return named("caution", "Out of date", "The certificate was not valid at the time that counts.");
  return named("caution", "Not verified", "The identity of the signer can’t be verified.");
}

function mark(verdict, codes) {
  const named = (state, word, say) => light("Mark", state, word, say);
  const found = verdict.mark;
  if (found.found) {
    if (codes.has("mark.other")) return named("fails", "Of another asset", "The invisible mark belongs to something else than the credential.");
    if (codes.has("content.foreign") || codes.has("record.unproven")) return named("fails", "Does not belong here", "An invisible mark was read, and it is not borne out.");
    if (codes.has("mark.unregistered")) return named("caution", "Found, not known here", odds(found.p_false));
    return named("holds", "Found", odds(found.p_false));
  }
  if (codes.has("undecided.mark")) return named("unknown", "Not decided", "Looking for it took longer than it may.");
  if (verdict.not_checked.some((part) => part === "mark" || part.startsWith("mark "))) return named("unknown", "Not looked for", "For this kind of file there is no reader, or it was not asked.");
  if (codes.has("mark.missing")) return named("caution", "Missing", "The credential names an invisible mark that was not found.");
  return named("absent", "None found", "No invisible mark of ours was read.");
}

// The chance of a false reading, rounded the cautious way.
export function odds(pFalse) {
  if (pFalse === null || pFalse === undefined) return "An invisible mark was read.";
  const one = 1 / pFalse;
  if (one > 1e18) return `Chance of a false reading: under 1 in 10${superscript(18)}.`; // beyond that, no model is that exact
  const power = Math.floor(Math.log10(one));
  return `Chance of a false reading: 1 in ${one >= 1e4 ? `10${superscript(power)}` : Math.max(1, Math.floor(one))}.`;
}

function superscript(number) {
  return [...String(number)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit] ?? "⁻").join("");
}

const ACTIONS = {
  "c2pa.created": "Created", "c2pa.opened": "Opened", "c2pa.edited": "Edited", "c2pa.cropped": "Cropped",
  "c2pa.resized": "Resized", "c2pa.resized.proportional": "Resized in proportion", "c2pa.transcoded": "Re-encoded",
  "c2pa.converted": "Converted", "c2pa.published": "Published", "c2pa.adjustedColor": "Colours adjusted",
  "c2pa.color_adjustments": "Colours adjusted", "c2pa.orientation": "Turned", "c2pa.drawing": "Drawn on",
  "c2pa.filtered": "Filtered", "c2pa.placed": "Something placed in it", "c2pa.removed": "Something taken out of it",
  "c2pa.redacted": "Redacted", "c2pa.trimmed": "Trimmed", "c2pa.repackaged": "Repackaged",
  "c2pa.edited.metadata": "Metadata edited", "c2pa.watermarked.bound": "Marked", "c2pa.unknown": "Changed in a way not named",
};

export function action(name) {
  if (!name) return "No action stated";
  if (ACTIONS[name]) return ACTIONS[name];
  const last = name.split(".").pop().replaceAll(/[_-]/g, " ").replaceAll(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  return last.charAt(0).toUpperCase() + last.slice(1);
}

const TRUST = { trusted: "on a trust list", untrusted: "identity not verified", expired: "certificate out of date" };

export function trust(state) {
  return TRUST[state] ?? state;
}

const UNCHECKED = {
  mark: "Whether it carries an invisible mark.",
  registry: "Whether it is registered here.",
  "revocation.ocsp": "Whether the issuer has revoked the signer’s certificate since: nobody was asked.",
  "credential.remote": "The credential that the file only points to.",
  "credential.container": "Whether a credential is in it: this kind of file is not read here.",
};

export function unchecked(part) {
  return UNCHECKED[part] ?? part;
}

const SIGNALS = {
  capturedMedia: "taken with a camera", capturedMediaStitched: "stitched from camera shots", blankCanvas: "begun empty",
  fullyGenAIMedia: "wholly made with generative AI", partlyGenAICreation: "partly made with generative AI",
  nonGenAIDigitalCreation: "made with software, without generative AI",
  compositionMayContainGenAI: "a composition; parts may come from generative AI",
  screenCaptureMayContainGenAI: "a screen capture; it may show generated content",
  nonEditorial: "processed without changing what it shows", perceptibleGenAI: "changed with generative AI",
  perceptibleNonGenAI: "changed visibly, without generative AI", perceptiblePossiblyGenAI: "changed visibly, possibly with generative AI",
};

// What the signer states of how the file came to be, as one phrase, or "" if nothing is stated.
export function stated(signals) {
  return signals.map((signal) => SIGNALS[signal.split(":").pop()]).filter(Boolean).join("; ");
}

const TIME = {
  untrusted: "A time stamp is there, from an authority on no list.",
  invalid: "A time stamp is there, and it does not hold.",
  absent: "No time stamp: when it was signed is the signer’s word.",
};

export function signedAt(time) {
  return time.state === "trusted" && time.at ? `${moment(time.at)}, by a trusted time stamp` : TIME[time.state] ?? time.state;
}

// 2026-11-21T09:30:00Z → 21 November 2026, 09:30 UTC
export function moment(iso) {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  const day = at.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
  return `${day.replaceAll(" ", "\u00a0")}, ${at.toISOString().slice(11, 16)}\u00a0UTC`;
}

export function size(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  const [value, unit] = bytes < 1e6 ? [bytes / 1e3, "kB"] : bytes < 1e9 ? [bytes / 1e6, "MB"] : [bytes / 1e9, "GB"];
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

export function percent(share) {
  const shown = Math.round(share * 100);
  if (shown === 0 && share > 0) return "under 1 %";
  if (shown === 100 && share < 1) return "over 99 %";
  return `${shown} %`;
}

const KINDS = {
  overlaid: "Words or lines laid over it",
  covered: "Covered with one colour",
  replaced: "Other content than what is registered",
};

export function kind(name) {
  return KINDS[name] ?? name;
}

// Where a box lies, by thirds: { x: 0.1, y: 0.8, … } → "lower left"
export function place({ x, y, w, h }) {
  const third = (share, names) => names[Math.min(2, Math.max(0, Math.floor(share * 3)))];
  const [row, column] = [third(y + h / 2, ["upper", "", "lower"]), third(x + w / 2, ["left", "", "right"])];
  if (w > 0.66 && h > 0.66) return "over most of it";
  if (w > 0.66) return row ? `${row} part, from side to side` : "across the middle";
  if (!row && !column) return "in the middle";
  return row && column ? `${row} ${column}` : row ? `${row} middle` : `${column} of the middle`;
}

export function extent({ w, h, score }) {
  return `within ${percent(w * h)} of the picture, ${score >= 0.8 ? "clearly" : "faintly"}`;
}

const USES = { notAllowed: "not allowed", constrained: "with constraints", allowed: "allowed" };
const PURPOSES = {
  "c2pa.data_mining": "data mining", "c2pa.ai_inference": "AI inference", "c2pa.ai_training": "AI training",
  "c2pa.ai_generative_training": "training generative AI", "cawg.data_mining": "data mining", "cawg.ai_inference": "AI inference",
  "cawg.ai_training": "AI training", "cawg.ai_generative_training": "training generative AI",
};

// { "cawg.ai_training": "notAllowed" } → "AI training: not allowed"
export function training(entries) {
  return Object.entries(entries).map(([purpose, use]) => `${PURPOSES[purpose] ?? purpose}: ${USES[use] ?? use}`).join("; ");
}
