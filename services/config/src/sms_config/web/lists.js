// List pages: a search, a table paged by the database, and an empty state that says what to do first.

import { call, get } from "./api.js";
import { h, icon, plural } from "./dom.js";
import { link, hash } from "./router.js";
import { say } from "./toast.js";

const PAGE = 25;

// A page's head: its title, what it is for, and what can be done.
export function head(title, lead, ...actions) {
  return h(
    "header",
    { class: "head" },
    h("div", {}, h("h1", { tabindex: "-1" }, title), lead && h("p", { class: "lead" }, lead)),
    actions.length ? h("div", { class: "actions" }, actions) : null,
  );
}

export const addButton = (path, text) => h("a", { class: "button primary", href: link(path) }, icon("plus"), h("span", {}, text));

export function empty({ shape, title, text, action }) {
  return h("div", { class: "empty card" }, icon(shape), h("h2", {}, title), h("p", {}, text), action);
}

// Read one page of a list. `query` is the page's own part of the address.
export function read(path, query, more = {}) {
  return get(path, { top: PAGE, skip: query.get("skip"), search: query.get("search"), ...more });
}

// A table. `columns` are {title, cell, kind}; `open` gives the path that a double click on a row opens.
export function table({ caption, columns, items, open }) {
  const row = (item) => {
    const cells = columns.map(({ title, cell, kind }, place) => {
      const content = cell(item);
      return h(place === 0 ? "th" : "td", { scope: place === 0 ? "row" : undefined, "data-label": title, class: kind }, h("div", {}, content));
    });
    const attributes = open ? { class: "opens", ondblclick: () => { location.hash = link(open(item)); } } : {};
    return h("tr", attributes, cells);
  };
  return h(
    "div",
    { class: "card table", role: "region", "aria-label": caption, tabindex: "0" },
    h(
      "table",
      {},
      h("caption", { class: "offscreen" }, caption),
      h("thead", {}, h("tr", {}, columns.map(({ title, kind }) => h("th", { scope: "col", class: kind }, title)))),
      h("tbody", {}, items.map(row)),
    ),
  );
}

// A search field that puts its text into the address.
export function search({ path, query, label }) {
  const input = h("input", { type: "search", name: "search", id: "search", value: query.get("search") ?? "", placeholder: label });
  const onsubmit = (event) => {
    event.preventDefault();
    location.hash = hash(path, { search: input.value.trim() });
  };
  return h(
    "form",
    { class: "search", role: "search", onsubmit },
    h("label", { for: "search", class: "offscreen" }, label),
    input,
    h("button", { class: "button" }, "Search"),
  );
}

// The position of this page in the list, and links to the pages before and after. Long lists are not counted to the end.
export function paging({ path, query, found: { count, more, items } }) {
  const shown = items.length;
  const skip = Number(query.get("skip") ?? 0);
  const others = Object.fromEntries(query);
  const to = (start, words) =>
    h("a", { class: "button small", href: hash(path, { ...others, skip: start || undefined }) }, words);
  const all = more ? `at least ${count.toLocaleString()}` : count.toLocaleString();
  const position = shown ? `${(skip + 1).toLocaleString()}–${(skip + shown).toLocaleString()} of ${all}` : `${all} in all`;
  return h(
    "nav",
    { class: "paging", "aria-label": "Pages" },
    h("span", {}, position),
    skip > 0 ? to(Math.max(0, Math.min(skip - PAGE, lastPage(count))), "Previous") : null,
    skip + shown < count ? to(skip + PAGE, "Next") : null,
  );
}

const lastPage = (count) => Math.floor(Math.max(0, count - 1) / PAGE) * PAGE;

// A switch in a list that turns an object on and off at once.
export function enabledSwitch(path, item) {
  const button = h("button", { type: "button", role: "switch", class: "switch", "aria-checked": String(item.enabled), "aria-label": `${item.name} enabled` });
  button.addEventListener("click", async () => {
    const now = await call("PATCH", path, { body: { enabled: button.getAttribute("aria-checked") !== "true" } });
    button.setAttribute("aria-checked", String(now.enabled));
    say(`${item.name} ${now.enabled ? "enabled" : "disabled"}`);
  });
  button.addEventListener("dblclick", (event) => event.stopPropagation());
  return button;
}

const WHOLE = 500;
const natural = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

// One page of a list in numeric order: 101, 1009, 1010. The database orders letter by letter, so lists that are not too
// long are sorted here. `key` gives the sort key of an item.
export async function readCounted(path, query, { orderby, key }) {
  const page = await read(path, query, { orderby });
  const skip = Number(query.get("skip") ?? 0);
  if (page.more || page.count > WHOLE) return page;
  if (page.count === page.items.length) return { ...page, items: inOrder(page.items, key) };
  const { count, items } = await readAll(path, { search: query.get("search"), orderby });
  return { count, items: inOrder(items, key).slice(skip, skip + PAGE) };
}

const inOrder = (items, key) => [...items].sort((a, b) => natural.compare(key(a), key(b)));

// Everything of a list that is wanted as a whole: as many pages as there are.
export async function readAll(path, query) {
  const most = 100;
  const first = await get(path, { ...query, top: most });
  const rest = [];
  for (let skip = most; skip < first.count; skip += most) rest.push(get(path, { ...query, top: most, skip }));
  return { count: first.count, items: [first, ...(await Promise.all(rest))].flatMap(({ items }) => items) };
}

// In place of a table: nothing matches, or this page of the list lies beyond its end. `hint` says what to try.
export function nothingFound(path, { query, found, hint } = {}) {
  if (found?.count > 0) {
    const others = Object.fromEntries(query);
    return h("div", { class: "empty card" }, h("h2", {}, "Beyond the end of the list"), h("p", {}, `There ${found.count === 1 ? "is" : "are"} ${plural(found.count, "entry", "entries")}, and none on this page.`), h("a", { class: "button", href: hash(path, { ...others, skip: undefined }) }, "To the first page"));
  }
  return h("div", { class: "empty card" }, h("h2", {}, "Nothing found"), h("p", {}, "Nothing matches what you asked for."), hint ? h("p", {}, hint) : null, h("a", { class: "button", href: hash(path, { place: query?.get("place") }) }, "Show all"));
}
