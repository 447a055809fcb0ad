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

export function toggle({ name, label, hint, checked }) {
  const id = `field-${name}`;
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
export function form({ save, submit = "Save", secondary = [], working = "Saving…", label }, ...children) {
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
      showErrors(element, problem, error);
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

function showErrors(element, problem, error) {
  const left = [];
  let first = null;
  for (const { field: path, message } of error.errors) {
    const input = element.elements.namedItem(path);
    const place = document.getElementById(`field-${path.replaceAll(".", "-")}-error`);
    if (!input || !place) {
      left.push(path ? `${path}: ${message}` : message);
      continue;
    }
    place.textContent = sentence(message);
    const focusable = input instanceof RadioNodeList ? input[0] : input;
    focusable.setAttribute("aria-invalid", "true");
    focusable.closest("details")?.setAttribute("open", "");
    first ??= focusable;
  }
  if (first && left.length === 0) {
    first.focus();
    say("Not saved: some fields need another look");
    return;
  }
  problem.replaceChildren(h("p", {}, error.message), left.length > 1 ? h("ul", {}, left.map((text) => h("li", {}, text))) : "");
  problem.hidden = false;
  problem.focus();
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

// What differs from what was loaded; texts that are empty count as null.
export function changes(values, loaded) {
  return Object.fromEntries(Object.entries(values).filter(([name, value]) => value !== (loaded[name] ?? null)));
}

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
