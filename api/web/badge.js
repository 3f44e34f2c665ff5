// <colophon-badge asset="ID or SHA-256">: what is known of a picture, beside it, in three steps: a pin, a panel, the record.
//
//   <script type="module" src="https://credentials.example.org/badge.js"></script>
//   <figure><img …><figcaption><colophon-badge asset="…"></colophon-badge></figcaption></figure>
//
// All badges of a page are asked for together. Nothing is shown where nothing is known: most files carry nothing, and absence
// is no fault. Words: one row a language; a missing word falls back to English. `lang` and `dir` are the page's.

const SERVICE = new URL(".", import.meta.url).href;
const MOST = 100; // ids of one address
const PATIENCE_MS = 60_000; // before a page asks again for what it shows

const WORDS = {
  en: {
    pin: "Content Credentials", signer: "Signed by", at: "Signed on", source: "Source", review: "Reviewed", record: "Full record", close: "Close",
    development: "Development certificate: it names nobody.", caution: "This says who signed, not that what is shown is so.",
    trusted: "Nothing changed since it was signed.", valid: "The identity of the signer can’t be verified.",
    recovered: "This copy had lost its credential; it was found again, and the content fits.", part: ", in part.",
    altered: "This is not what was signed: it changed since.", conflict: "The credentials contradict each other. Rely on neither.",
    revoked: "The credential was withdrawn.", invalid: "There is a problem with this file’s Content Credentials.",
    camera: "recorded by a camera", ai: "made wholly with AI", partly: "made partly with AI", digital: "made with a computer, not with AI",
    maybe: "may contain parts made with AI", problem: "look closer",
  },
  de: {
    pin: "Content Credentials", signer: "Signiert von", at: "Signiert am", source: "Quelle", review: "Geprüft", record: "Ganzer Nachweis", close: "Schließen",
    development: "Entwicklungszertifikat: Es nennt niemanden.", caution: "Das sagt, wer signiert hat, nicht, dass das Gezeigte stimmt.",
    trusted: "Seit der Signatur hat sich nichts geändert.", valid: "Die Identität der signierenden Stelle lässt sich nicht prüfen.",
    recovered: "Dieser Kopie fehlte der Nachweis; er wurde wiedergefunden, und der Inhalt passt.", part: ", zum Teil.",
    altered: "Das ist nicht, was signiert wurde: Es wurde seither verändert.", conflict: "Die Nachweise widersprechen sich. Keinem ist zu trauen.",
    revoked: "Der Nachweis wurde zurückgezogen.", invalid: "Mit den Content Credentials dieser Datei stimmt etwas nicht.",
    camera: "von einer Kamera aufgenommen", ai: "ganz mit KI erzeugt", partly: "teilweise mit KI erzeugt", digital: "am Computer gemacht, nicht mit KI",
    maybe: "kann mit KI erzeugte Teile enthalten", problem: "genauer ansehen",
  },
  es: {
    pin: "Content Credentials", signer: "Firmado por", at: "Firmado el", source: "Origen", review: "Revisado", record: "Registro completo", close: "Cerrar",
    development: "Certificado de desarrollo: no identifica a nadie.", caution: "Dice quién firmó, no que lo mostrado sea cierto.",
    trusted: "Nada ha cambiado desde la firma.", valid: "No se puede comprobar la identidad de quien firma.",
    recovered: "Esta copia había perdido su credencial; se ha recuperado y el contenido coincide.", part: ", en parte.",
    altered: "No es lo que se firmó: ha cambiado desde entonces.", conflict: "Las credenciales se contradicen. No se fíe de ninguna.",
    revoked: "La credencial fue retirada.", invalid: "Hay un problema con las Content Credentials de este archivo.",
    camera: "captado por una cámara", ai: "hecho por completo con IA", partly: "hecho en parte con IA", digital: "hecho con ordenador, sin IA",
    maybe: "puede contener partes hechas con IA", problem: "mire con atención",
  },
  fr: {
    pin: "Content Credentials", signer: "Signé par", at: "Signé le", source: "Origine", review: "Examiné", record: "Dossier complet", close: "Fermer",
    development: "Certificat de développement : il ne désigne personne.", caution: "Cela dit qui a signé, non que ce qui est montré est exact.",
    trusted: "Rien n’a changé depuis la signature.", valid: "L’identité du signataire ne peut pas être vérifiée.",
    recovered: "Cette copie avait perdu son attestation ; elle a été retrouvée, et le contenu concorde.", part: ", en partie.",
    altered: "Ce n’est pas ce qui a été signé : le contenu a changé depuis.", conflict: "Les attestations se contredisent. Ne vous fiez à aucune.",
    revoked: "L’attestation a été retirée.", invalid: "Les Content Credentials de ce fichier posent problème.",
    camera: "pris par un appareil", ai: "créé entièrement avec l’IA", partly: "créé en partie avec l’IA", digital: "créé par ordinateur, sans IA",
    maybe: "peut contenir des parties créées avec l’IA", problem: "à examiner",
  },
  zh: {
    pin: "内容凭证", signer: "签署者", at: "签署时间", source: "来源", review: "人工审查", record: "完整记录", close: "关闭",
    development: "开发证书：不代表任何人。", caution: "这只说明由谁签署，并不说明所示内容属实。",
    trusted: "自签署以来没有任何改动。", valid: "无法核实签署者的身份。",
    recovered: "此副本曾丢失凭证；现已找回，且内容相符。", part: "（仅部分）。",
    altered: "这不是当初签署的内容：之后有改动。", conflict: "凭证相互矛盾，请勿依赖任何一方。",
    revoked: "该凭证已被撤回。", invalid: "此文件的内容凭证存在问题。",
    camera: "由相机拍摄", ai: "完全由人工智能生成", partly: "部分由人工智能生成", digital: "由计算机制作，未使用人工智能",
    maybe: "可能含有人工智能生成的部分", problem: "请仔细查看",
  },
};

const SOURCES = {
  "inception:capturedMedia": "camera", "inception:capturedMediaStitched": "camera", "inception:fullyGenAIMedia": "ai",
  "inception:partlyGenAICreation": "partly", "inception:nonGenAIDigitalCreation": "digital",
  "inception:compositionMayContainGenAI": "maybe", "inception:screenCaptureMayContainGenAI": "maybe",
};
const SHOWN = ["trusted", "valid", "recovered", "altered", "conflict", "revoked", "invalid"];
const PROBLEMS = ["altered", "conflict", "revoked", "invalid"];
const LEAF = "M8 1c0 4-3 7-7 7 4 0 7 3 7 7 0-4 3-7 7-7-4 0-7-3-7-7z";

const STYLE = new CSSStyleSheet();
STYLE.replaceSync(`
  :host { position: relative; display: inline-block; color-scheme: light dark; font: 0.875rem/1.45 system-ui, sans-serif; --ink: #1f1c18; --paper: #fff; --rule: #b9b0a0; --soft: #5d564c; --rubric: #a3281b; }
  :host([hidden]) { display: none; }
  @media (prefers-color-scheme: dark) { :host { --ink: #efe9dd; --paper: #211e1a; --rule: #6b6355; --soft: #b5ab9b; --rubric: #f08e7d; } }
  button { font: inherit; color: var(--ink); background: var(--paper); border: 1px solid var(--rule); border-radius: 1rem; min-height: 1.75rem; padding: 0 0.7rem 0 0.5rem; padding-inline: 0.5rem 0.7rem; display: inline-flex; align-items: center; gap: 0.4rem; cursor: pointer; }
  button:hover { border-color: var(--ink); }
  :focus-visible { outline: 2px solid var(--rubric); outline-offset: 2px; }
  svg { width: 0.9rem; height: 0.9rem; fill: currentColor; flex: none; }
  .problem { border-color: var(--rubric); }
  .problem svg { color: var(--rubric); }
  b { font-weight: 600; }
  .problem b { color: var(--rubric); }
  [role=dialog] { position: absolute; inset-inline-start: 0; inset-block-start: calc(100% + 0.4rem); z-index: 10; box-sizing: border-box; width: min(22rem, calc(100vw - 2rem)); padding: 0.9rem 1rem; color: var(--ink); background: var(--paper); border: 1px solid var(--rule); border-radius: 0.5rem; box-shadow: 0 0.4rem 1.5rem #0003; text-align: start; }
  [hidden] { display: none; }
  p, dt, dd, span { unicode-bidi: plaintext; }
  p { margin: 0; overflow-wrap: anywhere; }
  .say { font-size: 1rem; }
  .label { color: var(--soft); }
  dl { display: grid; grid-template-columns: auto 1fr; gap: 0.15rem 0.75rem; margin: 0.6rem 0; }
  dt, .caution { color: var(--soft); }
  dd { margin: 0; overflow-wrap: anywhere; }
  a { color: inherit; display: inline-block; margin-block-start: 0.5rem; text-decoration-color: var(--rubric); text-underline-offset: 0.2em; }
  @media (forced-colors: active) { button, [role=dialog] { border-color: CanvasText; } }
`);

// ——— asking, together ———

const waiting = new Map(); // service → Map(id → badges)
const known = new Map(); // address of an id → { at, item }

function ask(badge, service, id) {
  const before = known.get(service + id);
  if (before && Date.now() - before.at < PATIENCE_MS) return badge.told(id, before.item);
  if (!waiting.size) setTimeout(send); // when the page's parser and scripts have had their turn
  if (!waiting.has(service)) waiting.set(service, new Map());
  const ids = waiting.get(service);
  ids.set(id, [...(ids.get(id) ?? []), badge]);
}

function send() {
  const all = [...waiting];
  waiting.clear();
  for (const [service, ids] of all) {
    const list = [...ids.keys()];
    for (let at = 0; at < list.length; at += MOST) fetchSome(service, list.slice(at, at + MOST), ids);
  }
}

async function fetchSome(service, ids, badges) {
  const items = await fetch(`${service}api/v1/feed/status?ids=${ids.map(encodeURIComponent).join(",")}`, { credentials: "omit" })
    .then((answer) => (answer.ok ? answer.json() : { items: [] }))
    .then((body) => new Map(body.items.map((item) => [item.id, item])))
    .catch(() => new Map()); // a service that is away is no statement about a picture
  for (const id of ids) {
    const item = items.get(id);
    if (item) known.set(service + id, { at: Date.now(), item });
    for (const badge of badges.get(id)) badge.told(id, item);
  }
}

// ——— the element ———

class ColophonBadge extends HTMLElement {
  static observedAttributes = ["asset", "service"];

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [STYLE];
    this.away = (event) => event.composedPath().includes(this) || this.open(false);
  }

  connectedCallback() {
    this.look();
  }

  disconnectedCallback() {
    document.removeEventListener("pointerdown", this.away);
  }

  attributeChangedCallback() {
    if (this.isConnected) this.look();
  }

  look() {
    const id = this.getAttribute("asset");
    this.hidden = true;
    if (id) ask(this, new URL(this.getAttribute("service") ?? SERVICE, SERVICE).href.replace(/\/?$/, "/"), id);
  }

  told(id, item) {
    if (id !== this.getAttribute("asset")) return; // it was changed meanwhile
    this.hidden = !item || !SHOWN.includes(item.status);
    this.shadowRoot.replaceChildren();
    if (!this.hidden) this.draw(item);
    this.dispatchEvent(new CustomEvent("colophon-status", { detail: item ?? null, bubbles: true, composed: true }));
  }

  draw(item) {
    const tongue = language(this);
    const say = { ...WORDS.en, ...WORDS[tongue] };
    const problem = PROBLEMS.includes(item.status);
    this.pin = made("button", { type: "button", "aria-haspopup": "dialog", "aria-expanded": "false", class: problem ? "problem" : "" });
    const ai = { wholly: say.ai, partly: say.partly }[item.disclosure?.ai]; // to be told at first sight (EU AI Act, art. 50)
    const loud = [ai, problem && say.problem].filter(Boolean).map((text) => made("b", { lang: tongue }, text));
    this.pin.append(leaf(), made("span", { lang: tongue }, say.pin), ...loud);
    this.panel = made("div", { role: "dialog", "aria-label": say.pin, lang: tongue, tabindex: "-1", hidden: "" });
    this.panel.append(made("p", { class: "say" }, item.part ? say[item.status].slice(0, -1) + say.part : say[item.status]));
    const facts = made("dl");
    if (item.signer) fact(facts, say.signer, item.signer.name || "—");
    if (item.signed_at) fact(facts, say.at, new Date(item.signed_at).toLocaleString(tongue, { dateStyle: "long", timeStyle: "short" }));
    const source = (item.signals ?? []).map((signal) => SOURCES[signal]).find(Boolean);
    if (source) fact(facts, say.source, say[source]);
    if (item.review?.say) fact(facts, say.review, item.review.say);
    if (facts.children.length) this.panel.append(facts);
    if (item.signer?.development) this.panel.append(made("p", { class: "caution" }, say.development));
    this.panel.append(made("p", { class: "caution" }, say.caution));
    if (item.asset_id) {
      const service = new URL(this.getAttribute("service") ?? SERVICE, SERVICE).href.replace(/\/?$/, "/");
      this.panel.append(made("a", { href: `${service}assets/${encodeURIComponent(item.asset_id)}` }, say.record));
    }
    this.pin.addEventListener("click", () => this.open(this.panel.hidden));
    this.shadowRoot.addEventListener("keydown", (event) => event.key === "Escape" && this.open(false, true));
    this.shadowRoot.append(this.pin, this.panel);
  }

  open(wanted, back = false) {
    if (!this.panel || this.panel.hidden === !wanted) return;
    this.panel.hidden = !wanted;
    this.pin.setAttribute("aria-expanded", String(wanted));
    document[wanted ? "addEventListener" : "removeEventListener"]("pointerdown", this.away);
    if (wanted) this.keepInside();
    if (wanted) this.panel.focus({ preventScroll: true });
    else if (back) this.pin.focus();
  }

  keepInside() {
    this.panel.style.translate = "none";
    const { left, right } = this.panel.getBoundingClientRect();
    const over = Math.min(0, document.documentElement.clientWidth - 8 - right) || Math.max(0, 8 - left);
    this.panel.style.translate = `${over}px`;
  }
}

function language(element) {
  const asked = element.closest("[lang]:not([lang=''])")?.lang || navigator.language;
  const short = asked.toLowerCase().split("-")[0];
  return WORDS[short] ? short : "en";
}

function made(name, attributes = {}, text = "") {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text) element.textContent = text;
  return element;
}

function fact(list, name, value) {
  list.append(made("dt", {}, name), made("dd", {}, value));
}

function leaf() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", LEAF);
  svg.append(path);
  return svg;
}

customElements.get("colophon-badge") ?? customElements.define("colophon-badge", ColophonBadge);
