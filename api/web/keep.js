// Taking the story of an asset away: a bundle that `colophon audit` checks without us.

import { element } from "./parts.js";

export function keeping(address) {
  const button = element("button", { type: "button", className: "quiet" }, "Download the bundle");
  const status = element("p", { className: "fine", role: "status" });
  button.addEventListener("click", async () => {
    button.disabled = true;
    status.textContent = "Making it …";
    status.textContent = await save(address);
    button.disabled = false;
  });
  const what = "Manifests, log entries with their proofs, certificates, trust lists and the verdict, in one file. ";
  const check = element("span", {}, "Check it without us and without a network: ", element("code", {}, "colophon audit FILE.zip"));
  return [element("p", {}, what, check), element("p", {}, button), status];
}

async function save(address) {
  let answer;
  try {
    answer = await fetch(address);
  } catch {
    return "The service can’t be reached. Try again.";
  }
  if (answer.status === 503) return `Not yet: its entry waits for a number in the log. Try again in ${answer.headers.get("Retry-After") ?? "a few"} seconds.`;
  if (!answer.ok) return "It can’t be made at the moment.";
  const name = /filename="([\w.-]+)"/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1] ?? "colophon.zip";
  const link = element("a", { href: URL.createObjectURL(await answer.blob()), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  return `Saved as ${name}.`;
}
