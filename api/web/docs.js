// The page for programs: the API's own description, set to be read.

const reading = document.getElementById("reading");
let description = {}; // what the parts refer to
try {
  const response = await fetch("/api/openapi.json");
  if (!response.ok) throw new Error(String(response.status));
  description = await response.json();
  const routes = document.getElementById("routes");
  for (const [path, methods] of Object.entries(description.paths)) {
    for (const [method, operation] of Object.entries(methods)) routes.append(route(path, method, operation));
  }
  reading.remove();
} catch {
  reading.textContent = "It can’t be read at the moment: try again.";
}
document.getElementById("main").setAttribute("aria-busy", "false");

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function route(path, method, operation) {
  const made = element("section", { className: "route" });
  made.append(
    element("h2", {}, element("span", { className: "method" }, method), " ", element("code", {}, path)),
    element("p", { className: "route-summary" }, operation.summary ?? ""),
    ...(operation.description ?? "").split("\n\n").map(paragraph),
  );
  const inputs = [...parameters(operation), ...form(operation)];
  if (inputs.length) made.append(element("dl", {}, ...inputs));
  made.append(...Object.entries(operation.responses ?? {}).map(([status, answer]) => answers(status, answer)));
  return made;
}

// A paragraph, or a list where its lines begin with dashes; the description's backticks are for other readers.
function paragraph(text) {
  const plain = text.replaceAll("`", "");
  if (!plain.startsWith("- ")) return element("p", {}, plain);
  return element("ul", {}, ...plain.slice(2).split("\n- ").map((line) => element("li", {}, line)));
}

function parameters(operation) {
  return (operation.parameters ?? []).flatMap((one) => input(`${one.name} (${one.in})`, one.description ?? one.schema?.description, one.required));
}

function form(operation) {
  const content = operation.requestBody?.content ?? {};
  return Object.values(content).flatMap(({ schema }) => {
    const { properties = {}, required = [] } = resolve(schema);
    return Object.entries(properties).flatMap(([name, one]) => input(name, one.description, required.includes(name)));
  });
}

function input(name, told, required) {
  return [element("dt", {}, element("code", {}, name), required ? " required" : ""), element("dd", {}, told ?? "")];
}

function answers(status, answer) {
  const made = element("details", {}, element("summary", {}, `${status} `, (answer.description ?? "").replaceAll("`", "")));
  for (const [type, content] of Object.entries(answer.content ?? {})) {
    for (const example of Object.values(content.examples ?? {})) {
      const { summary, value } = resolve(example);
      made.append(element("p", { className: "fine" }, `${type}: ${summary ?? ""}`), element("pre", { tabIndex: 0 }, JSON.stringify(value, null, 2)));
    }
  }
  return made;
}

function resolve(value) {
  if (!value?.$ref) return value ?? {};
  return value.$ref.slice(2).split("/").reduce((part, name) => part[name], description);
}
