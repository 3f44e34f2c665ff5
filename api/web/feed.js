// A sample feed: the pictures that were registered here last, each with its badge. Text only ever enters as text.

const at = (id) => document.getElementById(id);

const items = await fetch("/api/v1/feed/recent?limit=30")
  .then((answer) => (answer.ok ? answer.json() : null))
  .then((body) => body?.items)
  .catch(() => undefined);

at("main").removeAttribute("aria-busy");
if (!items) at("notice").textContent = "The service can’t be asked at the moment.";
else if (!items.length) at("notice").textContent = "Nothing is registered here yet. Sign a picture, and it appears; colophon demo --feed makes thirty.";
else at("notice").hidden = true;
at("feed").append(...(items ?? []).map(entry));

function entry({ id, reference, created_at: created }) {
  const figure = document.createElement("figure");
  const link = document.createElement("a");
  link.href = `/assets/${encodeURIComponent(id)}`;
  const picture = document.createElement("img");
  picture.src = reference;
  picture.loading = "lazy";
  picture.alt = `Picture registered ${new Date(created).toLocaleString("en", { dateStyle: "long", timeStyle: "short" })}; its record`;
  link.append(picture);
  const caption = document.createElement("figcaption");
  const badge = document.createElement("colophon-badge");
  badge.setAttribute("asset", id);
  caption.append(badge);
  figure.append(link, caption);
  const item = document.createElement("li");
  item.append(figure);
  return item;
}
