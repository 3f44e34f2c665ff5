// What all pages build with. Text only ever enters as text.

export const at = (id) => document.getElementById(id);

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// Names come from files and certificates: isolated, so that none can reorder the text around it.
export const isolated = (text) => element("bdi", {}, text);

// [[term, [what is told of it]]] → dt and dd, in turn
export function facts(rows) {
  return rows.flatMap(([term, told]) => [element("dt", {}, term), element("dd", {}, ...told)]);
}

export function fill(id, children) {
  at(id).replaceChildren(...children);
  at(id).hidden = children.length === 0;
}

export const developmentNote = () => element("span", { className: "development" }, "development certificate");

// The body of an answer in JSON, or null where there is none.
export async function fetched(address) {
  try {
    const answer = await fetch(address, { headers: { accept: "application/json" } });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

export const assetAddress = (id) => `/api/v1/assets/${encodeURIComponent(id)}`;
export const recordAddress = (id) => `/assets/${encodeURIComponent(id)}`;
export const isJpeg = (address) => typeof address === "string" && address.startsWith("data:image/jpeg;base64,");
