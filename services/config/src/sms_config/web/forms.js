// Forms: fields with labels, hints and errors, and saving with the errors of the API beside their fields.

import { ApiError, dryRun } from "./api.js";
import { guard } from "./dirty.js";
import { h } from "./dom.js";
import { clearErrors, showErrors } from "./problems.js";

// One labelled field. `name` is its path in the API's body, so that errors of the API find it.
export function field({ name, id = `field-${name.replaceAll(".", "-")}`, label, hint, as = "input", children = [], after, ...attributes }) {
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

// A form that saves. `save(values)` does it, unless `check(values)` finds errors; errors are shown beside their fields, or above all when they have none. What is
// typed into a `guarded` form is not left without a question.
export function form({ save, submit = "Save", secondary = [], working = "Saving…", refused = "Not saved", label, guarded = true, check = () => [] }, ...children) {
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
    clearErrors(element, problem);
    button.disabled = true;
    button.textContent = working;
    try {
      const data = new FormData(element);
      const wrong = check(data);
      // Errors that the page finds are shown together with those of the API.
      if (wrong.length) throw new ApiError(422, { code: "invalid_request", message: "", errors: [...wrong, ...(await dryRun(() => save(data, element)))] });
      await save(data, element);
      if (guarded) guard(element);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      showErrors(element, problem, error, refused);
    } finally {
      button.disabled = false;
      button.textContent = submit;
    }
  });
  if (guarded) guard(element);
  return element;
}

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
