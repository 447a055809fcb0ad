// Forms: fields with labels, hints and errors, and saving with the errors of the API beside their fields.

import { ApiError } from "./api.js";
import { h, say } from "./dom.js";

// One labelled field. `name` is its path in the API's body, so that errors of the API find it.
export function field({ name, label, hint, as = "input", children = [], after, ...attributes }) {
  const id = `field-${name.replaceAll(".", "-")}`;
  const described = [hint && `${id}-hint`, `${id}-error`].filter(Boolean).join(" ");
  const input = h(as, { id, name, "aria-describedby": described, ...attributes }, children);
  if (as === "select" && attributes.value !== undefined) input.value = attributes.value;
  const required = attributes.required ? h("span", { class: "required", "aria-hidden": "true" }, " *") : null;
  return h(
    "div",
    { class: "field" },
    h("label", { for: id }, label, required),
    after ? h("div", { class: "joined" }, input, after) : input,
    hint && h("p", { id: `${id}-hint`, class: "hint" }, hint),
    h("p", { id: `${id}-error`, class: "error" }),
  );
}

export const option = (value, text) => h("option", { value }, text);

// A group of choices: checkboxes, or radio buttons when only one can be chosen. `among` are [value, text, meaning].
export function choices({ name, label, among, chosen, type = "checkbox", hint, abreast = false }) {
  const id = `field-${name.replaceAll(".", "-")}`;
  const one = ([value, words, meaning]) => h("label", { class: "choice" }, h("input", { type, name, value, checked: chosen.includes(value), "aria-describedby": `${id}-error` }), h("span", {}, words, meaning && h("span", { class: "minor" }, meaning)));
  return h("fieldset", { class: "field" }, h("legend", {}, label), abreast ? h("div", { class: "abreast" }, among.map(one)) : among.map(one), hint && h("p", { class: "hint" }, hint), h("p", { id: `${id}-error`, class: "error" }));
}

export function toggle({ name, label, hint, checked }) {
  const id = `field-${name.replaceAll(".", "-")}`;
  return h(
    "div",
    { class: "field toggle" },
    h("input", { type: "checkbox", role: "switch", id, name, checked, "aria-describedby": hint ? `${id}-hint` : undefined }),
    h("label", { for: id }, label),
    hint && h("p", { id: `${id}-hint`, class: "hint" }, hint),
    h("p", { id: `${id}-error`, class: "error" }),
  );
}

// A form that saves. `save(values)` does it; errors are shown beside their fields, or above all when they have none.
export function form({ save, submit = "Save", secondary = [], working = "Saving…", refused = "Not saved", label }, ...children) {
  const problem = h("div", { class: "problem", role: "alert", hidden: true, tabindex: "-1" });
  const button = h("button", { type: "submit", class: "button primary" }, submit);
  const element = h(
    "form",
    { novalidate: true, "aria-label": label },
    problem,
    children,
    h("div", { class: "actions" }, button, secondary),
  );
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    clear(element, problem);
    button.disabled = true;
    button.textContent = working;
    try {
      await save(new FormData(element), element);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      showErrors(element, problem, error, refused);
    } finally {
      button.disabled = false;
      button.textContent = submit;
    }
  });
  return element;
}

function clear(element, problem) {
  problem.hidden = true;
  problem.replaceChildren();
  for (const text of element.querySelectorAll(".error")) text.textContent = "";
  for (const input of element.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}

function showErrors(element, problem, error, refused) {
  const left = [];
  let first = null;
  for (const { field: path, message } of error.errors) {
    const place = placeOf(element, path);
    if (place === null) {
      left.push(path ? `${path}: ${message}` : message);
      continue;
    }
    place.textContent = [place.textContent, sentence(message)].filter(Boolean).join(". ");
    place.closest("details")?.setAttribute("open", "");
    const input = inputOf(element, path, place);
    input?.setAttribute("aria-invalid", "true");
    first ??= input ?? place.closest(".field")?.querySelector("input:not([type=hidden]), select, textarea, button");
  }
  if (first && left.length === 0) {
    first.focus();
    say(`${refused}: some fields need another look`);
    return;
  }
  problem.replaceChildren(h("p", {}, error.message), left.length > 1 ? h("ul", {}, left.map((text) => h("li", {}, text))) : "");
  problem.hidden = false;
  problem.focus();
}

// Where the error of a field is told: beside it, or beside the smallest part of the form that holds it.
function placeOf(element, path) {
  for (let parts = path.split("."); parts.length && parts[0]; parts = parts.slice(0, -1)) {
    const place = element.querySelector(`#${CSS.escape(`field-${parts.join("-")}-error`)}`);
    if (place) return place;
  }
  return null;
}

function inputOf(element, path, place) {
  const named = element.querySelector(`#${CSS.escape(`field-${path.replaceAll(".", "-")}`)}`);
  return named ?? element.querySelector(`[aria-describedby~="${place.id}"]`);
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

// What differs from what was loaded; texts that are empty count as null.
export function changes(values, loaded) {
  return Object.fromEntries(Object.entries(values).filter(([name, value]) => !same(value, loaded[name] ?? null)));
}

// Whether two values of JSON are the same. The order counts in lists of objects and not in lists of words, which are sets.
function same(a, b) {
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object") return a === b;
  if (!Array.isArray(a)) return Object.keys({ ...a, ...b }).every((name) => same(a[name] ?? null, b[name] ?? null));
  if (!Array.isArray(b) || a.length !== b.length) return false;
  if (a.some((value) => typeof value === "object")) return a.every((value, place) => same(value, b[place]));
  return a.every((value) => b.includes(value));
}

// A text of words separated by semicolons, as a list without repetitions.
export const words = (data, name) => [...new Set((data.get(name) ?? "").split(/[;,]/).map((word) => word.trim()).filter(Boolean))];

export const text = (data, name) => (data.get(name) ?? "").toString().trim() || null;

const ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";

// A random password of 24 characters without look-alikes: 138 bits.
export function generated() {
  // Bytes of 228 and above are left out, so that every letter comes equally often.
  const limit = 256 - (256 % ALPHABET.length);
  let password = "";
  while (password.length < 24) {
    const [byte] = crypto.getRandomValues(new Uint8Array(1));
    if (byte < limit) password += ALPHABET[byte % ALPHABET.length];
  }
  return password;
}
