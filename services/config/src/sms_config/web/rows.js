// Lists of similar rows in a form. The fields of a row are named `<name>.<place>.<field>`, as in the errors of the API.
// They are renamed when rows are added, moved or removed.

import { h, icon } from "./dom.js";
import { say } from "./toast.js";

const NAMED = ["id", "name", "for", "aria-describedby", "aria-controls", "aria-labelledby", "aria-activedescendant"];

// `make(prefix, item)` gives a row's fields, named `${prefix}.…`. `noun` is what a row is called, such as "route".
export function rows({ name, noun, items, make, most, least = 0, ordered = false, none }) {
  const list = h("div", { class: "rows" });
  const add = h("button", { type: "button", class: "button small", onclick: () => { const row = append({}); refresh(); focusable(row)?.focus(); } }, icon("plus"), h("span", {}, `Add ${noun}`));
  const empty = none && h("p", { class: "hint" }, none);
  const full = h("span", { class: "hint" }, `There can be ${most}.`);

  function append(item) {
    const place = list.children.length;
    const row = h("div", { class: "row card", role: "group", "data-place": place }, h("div", { class: "row-head" }, h("strong", {}), buttons()), make(`${name}.${place}`, item));
    list.append(row);
    return row;
  }

  function buttons() {
    const button = (shape, what, work) => h("button", { type: "button", class: `button quiet small ${what}`, "data-says": what, onclick: (event) => work(event.currentTarget.closest(".row"), event.currentTarget) }, icon(shape));
    return h("div", { class: "row-buttons" }, ordered && [button("up", "up", (row, pressed) => move(row, -1, pressed)), button("down", "down", (row, pressed) => move(row, 1, pressed))], button("cross", "remove", remove));
  }

  function move(row, by, pressed) {
    const other = by < 0 ? row.previousElementSibling : row.nextElementSibling;
    if (other === null) return;
    if (by < 0) other.before(row);
    else other.after(row);
    refresh();
    (pressed.disabled ? row.querySelector("[data-says]:not([disabled])") : pressed).focus();
    say(`Now ${noun} ${Number(row.dataset.place) + 1} of ${list.children.length}`);
  }

  function remove(row) {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    refresh();
    (next?.querySelector(".remove:not([disabled])") ?? add).focus();
    say(`${capital(noun)} removed`);
  }

  function refresh() {
    const all = [...list.children];
    for (const [place, row] of all.entries()) rename(row, name, place);
    all.forEach((row, place) => {
      row.setAttribute("aria-label", `${capital(noun)} ${place + 1}`);
      row.querySelector("strong").textContent = `${capital(noun)} ${place + 1}`;
      for (const button of row.querySelectorAll(":scope > .row-head [data-says]")) label(button, place, all.length);
    });
    add.disabled = all.length >= most;
    full.hidden = !add.disabled;
    if (empty) empty.hidden = all.length > 0;
    list.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function label(button, place, count) {
    const what = button.dataset.says;
    button.setAttribute("aria-label", what === "remove" ? `Remove ${noun} ${place + 1}` : `Move ${noun} ${place + 1} ${what}`);
    button.disabled = what === "remove" ? count <= least : place === (what === "up" ? 0 : count - 1);
  }

  for (const item of items) append(item);
  refresh();
  return h("div", { class: "field" }, list, empty, h("p", { id: `field-${name.replaceAll(".", "-")}-error`, class: "error" }), h("div", { class: "actions" }, add, full));
}

const focusable = (row) => row.querySelector("input:not([type=hidden]), select, textarea");
const capital = (noun) => noun.charAt(0).toUpperCase() + noun.slice(1);

function rename(row, name, place) {
  const before = row.dataset.place;
  if (before === String(place)) return;
  const stem = name.replaceAll(".", "-");
  for (const element of row.querySelectorAll("*")) {
    for (const attribute of NAMED) {
      const value = element.getAttribute(attribute);
      if (value) element.setAttribute(attribute, value.replaceAll(`${name}.${before}.`, `${name}.${place}.`).replaceAll(`field-${stem}-${before}-`, `field-${stem}-${place}-`));
    }
  }
  row.dataset.place = place;
}

// The rows of a form's data as objects of texts; what is empty is null.
export function listed(data, name) {
  const found = new Map();
  for (const [key, value] of data) {
    if (!key.startsWith(`${name}.`)) continue;
    const [place, ...rest] = key.slice(name.length + 1).split(".");
    if (!found.has(place)) found.set(place, {});
    found.get(place)[rest.join(".")] = value.toString().trim() || null;
  }
  return [...found].sort(([a], [b]) => a - b).map(([, row]) => row);
}
