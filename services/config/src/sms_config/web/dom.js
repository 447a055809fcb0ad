// Builds elements. Text is always text: nothing here parses HTML.

export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SHAPES = {
  messages: "M4 5h16v11H9l-5 4z",
  config: "M5 7h9M18 7h1M5 12h2M11 12h8M5 17h9M18 17h1M14 5v4M7 10v4M14 15v4",
  trunk: "M4 18V9M9 18V6M14 18v-7M19 18V4",
  tenant: "M4 20V8l8-4 8 4v12M9 20v-5h6v5M9 11h.01M15 11h.01",
  users: "M9 11a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7M2.500 20c.5-4 3-6 6.500-6s6 2 6.500 6M16 4.500a3.500 3.500 0 0 1 0 6M18 14.500c2 .8 3.200 2.600 3.500 5.500",
  key: "M14 10a4 4 0 1 0-4 4 4 4 0 0 0 4-4zM13 13l7 7M17 17l2-2",
  audit: "M6 3h9l4 4v14H6zM10 11h6M10 15h6",
  copy: "M9 9h10v11H9zM5 15V4h10",
  plus: "M12 5v14M5 12h14",
  menu: "M4 7h16M4 12h16M4 17h16",
  out: "M14 4h5v16h-5M10 8l-4 4 4 4M6 12h9",
  dead: "M4 6h16v12H4zM4 9h16M10 13.500h4",
  check: "M5 12.500l4.500 4.500L19 7.500",
  inbound: "M12 4v14M6 12l6 6 6-6",
  outbound: "M12 20V6M6 12l6-6 6 6",
  extension: "M7 3h10v18H7zM11 18h2",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 7v5l3.500 2",
  explain: "M9 9.500a3 3 0 1 1 4.200 2.750c-.8.400-1.200 1-1.200 1.900v.350M12 18h.01M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18",
  up: "M12 19V6M6 11l6-6 6 6",
  down: "M12 5v13M6 13l6 6 6-6",
  cross: "M6 6l12 12M18 6L6 18",
};

// A drawing that says nothing a screen reader needs; words stand beside it.
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "icon");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}

let toastTimer;

// Say what happened, to eyes and to screen readers.
export function say(text) {
  const said = document.getElementById("said");
  said.textContent = "";
  clearTimeout(toastTimer);
  requestAnimationFrame(() => {
    said.textContent = text;
    said.classList.add("shown");
  });
  toastTimer = setTimeout(() => said.classList.remove("shown"), 5000);
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Browsers keep the clipboard from pages that did not come over TLS; the old way still works there.
    const field = h("textarea", { class: "offscreen", readonly: true }, text);
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  say(`${what} copied`);
}

export function copyButton(text, what, { label = "Copy", quiet = false } = {}) {
  const onclick = (event) => {
    event.stopPropagation();
    copy(text, what);
  };
  const attributes = { type: "button", class: quiet ? "button quiet small" : "button small", onclick };
  return h("button", { ...attributes, "aria-label": `${label} ${what.toLowerCase()}` }, icon("copy"), h("span", {}, label));
}

export const badge = (text, tone) => h("span", { class: `badge ${tone}` }, text);

const DATE_TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

// A moment in the reader's own time zone, exact in its title.
export function time(iso, { exact = false } = {}) {
  if (!iso) return null;
  const moment = new Date(iso);
  return h("time", { datetime: iso, title: EXACT.format(moment) }, (exact ? EXACT : DATE_TIME).format(moment));
}

export const dateTime = (iso) => DATE_TIME.format(new Date(iso));

// Ask before something that cannot be undone; resolves to whether to go on.
export function confirm({ title, text, action, dangerous = true }) {
  return new Promise((resolve) => {
    const close = (answer) => () => dialog.close(answer);
    const dialog = h(
      "dialog",
      { "aria-labelledby": "dialog-title" },
      h("h2", { id: "dialog-title" }, title),
      h("p", {}, text),
      h(
        "div",
        { class: "actions end" },
        h("button", { type: "button", class: "button", onclick: close("no") }, "Cancel"),
        h("button", { type: "button", class: dangerous ? "button danger" : "button primary", onclick: close("yes") }, action),
      ),
    );
    show(dialog, () => resolve(dialog.returnValue === "yes"));
  });
}

// Show a dialog; focus returns to where it was when it is closed.
export function show(dialog, closed = () => {}) {
  document.body.append(dialog);
  dialog.addEventListener("close", () => {
    dialog.remove();
    closed();
  });
  dialog.showModal();
}
