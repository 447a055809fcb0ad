// Fields to choose one or several of many objects by typing (WAI-ARIA's editable combobox with a list). The choices come
// from a search function, so the list may be of any length.

import { ApiError } from "./api.js";
import { h, icon } from "./dom.js";
import { say } from "./toast.js";

const PAUSE = 150;

// A combobox. `find(search)` resolves to {items: [{value, text, hint}], more}, where `more` were left out. The value goes
// into a hidden field of `name`. `clears`: whether emptying the text means to choose nothing; `free`: whether a text that
// was not found is the value itself.
export function combobox({ id, name, find, value = "", text = "", clears = true, free = false, chosen = () => {}, ...attributes }) {
  const hidden = h("input", { type: "hidden", name, value });
  const list = h("ul", { id: `${id}-list`, class: "choices", role: "listbox", "aria-label": "Choices", hidden: true });
  const status = h("span", { class: "offscreen", role: "status" });
  const input = h("input", { type: "text", id, role: "combobox", autocomplete: "off", spellcheck: "false", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id, value: text, ...attributes });
  let shown = text;
  let found = [];
  let active = -1;
  let asked = 0;
  let timer;

  async function lookUp(search) {
    const mine = ++asked;
    clearTimeout(timer);
    const answer = await find(search).catch(unavailable);
    if (mine === asked && document.activeElement === input) open(answer, search);
  }

  function open({ items, more = 0, problem }, search) {
    found = items;
    const rest = problem ?? (items.length === 0 ? "Nothing found" : more > 0 ? `${more} more: type to narrow them down` : null);
    list.replaceChildren(...items.map(choice), ...(rest ? [h("li", { class: "rest", role: "presentation" }, rest)] : []));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    status.textContent = rest && items.length === 0 ? rest : `${items.length + more} found`;
    move(search ? 0 : items.findIndex((item) => item.value === hidden.value));
  }

  function choice(item, place) {
    const element = h("li", { id: `${input.id}-choice-${place}`, role: "option", "aria-selected": "false" }, h("span", {}, item.text), item.hint && h("span", { class: "minor" }, item.hint));
    // The press must not take the focus away, or the list would be closed before the click.
    element.addEventListener("mousedown", (event) => event.preventDefault());
    element.addEventListener("click", () => choose(item));
    return element;
  }

  function move(to) {
    list.children[active]?.setAttribute("aria-selected", "false");
    active = found.length ? Math.min(to, found.length - 1) : -1;
    if (active < 0) return input.removeAttribute("aria-activedescendant");
    list.children[active].setAttribute("aria-selected", "true");
    list.children[active].scrollIntoView({ block: "nearest" });
    return input.setAttribute("aria-activedescendant", list.children[active].id);
  }

  function close() {
    asked++;
    clearTimeout(timer);
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    move(-1);
  }

  function choose(item) {
    shown = item.text;
    input.value = shown;
    const before = hidden.value;
    hidden.value = item.value;
    close();
    if (item.value !== before || name === undefined) chosen(item);
    hidden.dispatchEvent(new Event("change", { bubbles: true }));
  }

  // Everything, unless something else was typed than what is chosen.
  const typed = () => (input.value === shown ? "" : input.value.trim());
  const keys = {
    ArrowDown: () => (list.hidden ? lookUp(typed()) : move((active + 1) % Math.max(found.length, 1))),
    ArrowUp: () => (list.hidden ? lookUp(typed()) : move(active > 0 ? active - 1 : found.length - 1)),
    Escape: () => { close(); input.value = shown; },
    Enter: () => (active >= 0 ? choose(found[active]) : lookUp(typed())),
  };
  input.addEventListener("keydown", (event) => {
    if (event.key === "Tab" && active >= 0 && input.value !== shown) choose(found[active]);
    if (!Object.hasOwn(keys, event.key)) return;
    // With nothing typed and no list, Enter saves the form. A text whose list is still to come is not saved unchosen.
    if (list.hidden && !event.key.startsWith("Arrow") && input.value === shown) return;
    event.preventDefault();
    keys[event.key]();
  });
  input.addEventListener("input", () => {
    // What was found for less of the text, or still is to come for it, is not meant any more.
    asked++;
    move(-1);
    clearTimeout(timer);
    timer = setTimeout(() => lookUp(input.value.trim()), PAUSE);
  });
  input.addEventListener("click", () => {
    input.select();
    if (list.hidden) lookUp("");
  });
  input.addEventListener("blur", () => {
    const left = input.value.trim();
    const meant = found.find((item) => item.text.toLowerCase() === left.toLowerCase());
    close();
    if (left === shown) return;
    if (left === "" && clears) choose({ value: "", text: "" });
    else if (left !== "" && meant) choose(meant);
    else if (left !== "" && free) choose({ value: left, text: left });
    else input.value = shown;
  });
  const box = h("div", { class: "combobox" }, input, hidden, list, status);
  // For a page that learns the name of the value later.
  box.rename = (words) => {
    if (input.value === shown) input.value = words;
    shown = words;
  };
  return box;
}

function unavailable(error) {
  if (!(error instanceof ApiError)) throw error;
  return { items: [], problem: error.message };
}

// A labelled combobox, as `field` is a labelled input.
export function picker({ name, label, hint, required = false, ...rest }) {
  return labelled({ name, label, hint, required }, (attributes) => combobox({ name, clears: !required, ...attributes, ...rest }));
}

// A labelled field for several: what is chosen stands before it, each with a button that takes it out again.
export function pickers({ name, label, hint, items, find, placeholder }) {
  const chips = h("ul", { class: "chips", "aria-label": `${label}, chosen` });
  const has = (value) => [...chips.querySelectorAll("input")].some((input) => input.value === value);
  const add = (item) => {
    const remove = () => {
      chip.remove();
      empty();
      say(`${item.text} removed`);
      field.querySelector('[role="combobox"]').focus();
    };
    const chip = h("li", { class: "chip" }, h("input", { type: "hidden", name, value: item.value }), h("span", {}, item.text), h("button", { type: "button", "aria-label": `Remove ${item.text}`, onclick: remove }, icon("cross")));
    chips.append(chip);
    empty();
  };
  const empty = () => { chips.hidden = chips.children.length === 0; };
  const left = async (search) => {
    const answer = await find(search);
    return { ...answer, items: answer.items.filter((item) => !has(item.value)) };
  };
  const chosen = (item) => {
    field.querySelector('[role="combobox"]').value = "";
    if (item.value && !has(item.value)) add(item);
  };
  const field = labelled({ name, label, hint }, (attributes) => [chips, combobox({ find: left, placeholder, ...attributes, chosen })]);
  items.forEach(add);
  empty();
  return field;
}

function labelled({ name, label, hint, required }, make) {
  const id = `field-${name.replaceAll(".", "-")}`;
  const described = [hint && `${id}-hint`, `${id}-error`].filter(Boolean).join(" ");
  return h(
    "div",
    { class: "field" },
    h("label", { for: id }, label, required && h("span", { class: "required", "aria-hidden": "true" }, " *")),
    make({ id, "aria-describedby": described, "aria-required": required ? "true" : undefined }),
    hint && h("p", { id: `${id}-hint`, class: "hint" }, hint),
    h("p", { id: `${id}-error`, class: "error" }),
  );
}
