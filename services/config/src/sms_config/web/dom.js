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

// A count with its noun: "1 file", "2 files".
export const plural = (count, one, several = `${one}s`) => `${count.toLocaleString()} ${count === 1 ? one : several}`;

export const badge = (text, tone) => h("span", { class: `badge ${tone}` }, text);

const DATE_TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

// A moment in the reader's own time zone, exact in its title.
export function time(iso, { exact = false } = {}) {
  if (!iso) return null;
  const moment = new Date(iso);
  return h("time", { datetime: iso, title: EXACT.format(moment) }, (exact ? EXACT : DATE_TIME).format(moment));
}

const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

// The time of day alone.
export const clock = (iso) => h("time", { datetime: iso, title: EXACT.format(new Date(iso)) }, CLOCK.format(new Date(iso)));

export const dateTime = (iso) => DATE_TIME.format(new Date(iso));
