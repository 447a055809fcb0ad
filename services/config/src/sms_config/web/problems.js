// Every error that a person sees is rendered here: as a bar that stays, as a page, or beside the fields of a form.

import { ApiError } from "./api.js";
import { h, icon } from "./dom.js";
import { raise, say } from "./toast.js";
import { FIELDS } from "./words.js";

// The API is for programs too. These are its sentences for a person at this page.
const SAID = {
  unauthenticated: "Your session has ended. Log in again to go on.",
  csrf_refused: "This page is older than your session. Load it again and repeat what you did.",
};
const OURS = "This page made a mistake, and what you asked for may not have been done. Load the page again and look.";

export const sentenceOf = (error) => (error instanceof ApiError ? (SAID[error.code] ?? (error.errors.length ? error.errors.map((one) => labelled(one)).join(" ") : error.message)) : OURS);

const traceOf = (error) => (error instanceof ApiError ? error.requestId && `Request ${error.requestId}` : String(error));

// A bar over the page, until it is closed or the page is left.
export function showProblem(error) {
  const bar = document.getElementById("problem");
  const trace = traceOf(error);
  raise(bar);
  bar.hidden = false;
  bar.replaceChildren(
    h("div", {}, h("p", {}, sentenceOf(error)), trace ? h("p", { class: "hint" }, trace) : ""),
    h("button", { type: "button", class: "button quiet small", "aria-label": "Close this message", onclick: forgetProblem }, icon("cross")),
  );
}

export function forgetProblem() {
  const bar = document.getElementById("problem");
  bar.hidden = true;
  bar.replaceChildren();
}

// Show errors that nothing else caught, so that no button fails silently.
export function showUncaughtErrors() {
  addEventListener("unhandledrejection", (event) => {
    if (event.reason instanceof ApiError) event.preventDefault(); // it is no bug of the page
    showProblem(event.reason);
  });
  addEventListener("error", (event) => {
    if (event.error) showProblem(event.error);
  });
}

// In place of a page that cannot be shown. `actions` lead out of it.
export const problemPage = (title, text, { trace, actions = [] } = {}) =>
  h("div", { class: "empty", role: "alert" }, h("h1", { tabindex: "-1" }, title), h("p", {}, text), trace ? h("p", { class: "hint" }, trace) : null, h("div", { class: "actions" }, actions));

export const errorPage = (error, actions) => problemPage("This cannot be shown now", sentenceOf(error), { trace: traceOf(error), actions });

// --- beside the fields of a form

// Show all errors, each beside its field or above the form when it has none, and focus the first field.
export function showErrors(form, place, error, refused) {
  const left = [];
  const wrong = [];
  for (const { field: path, message } of error.errors) {
    const beside = placeOf(form, path);
    const said = inScreenWords(message, form, path);
    if (beside === null) {
      left.push(labelled({ field: path, message: said }));
      continue;
    }
    if (!beside.textContent.includes(said)) beside.textContent = [beside.textContent, said].filter(Boolean).join(". ");
    beside.closest("details")?.setAttribute("open", "");
    const input = inputOf(form, path, beside);
    input?.setAttribute("aria-invalid", "true");
    wrong.push(input ?? beside.closest(".field")?.querySelector("input:not([type=hidden]), select, textarea, button"));
  }
  const first = wrong.filter(Boolean).sort(inOrder)[0];
  if (left.length || !first) {
    const list = left.length > 1 ? h("ul", {}, left.map((text) => h("li", {}, text))) : "";
    const said = left.length ? (left.length > 1 ? "This needs another look:" : left[0]) : sentenceOf(error);
    place.replaceChildren(h("p", {}, said), list);
    place.hidden = false;
    if (!first) place.focus();
  }
  if (!first) return;
  first.focus();
  say(`${refused}: ${wrong.length === 1 ? "one field needs" : "some fields need"} another look`);
}

export function clearErrors(form, place) {
  place.hidden = true;
  place.replaceChildren();
  for (const text of form.querySelectorAll(".error")) text.textContent = "";
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}

const inOrder = (a, b) => (a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1);

// Where the error of a field is shown: beside it, or beside the smallest part of the form that contains it.
function placeOf(form, path) {
  for (let parts = path.split("."); parts.length && parts[0]; parts = parts.slice(0, -1)) {
    const place = form.querySelector(`#${CSS.escape(`field-${parts.join("-")}-error`)}`);
    if (place) return place;
  }
  return null;
}

function inputOf(form, path, place) {
  const named = form.querySelector(`#${CSS.escape(idOf(path))}`);
  return named ?? form.querySelector(`[aria-describedby~="${place.id}"]`);
}

const idOf = (path) => `field-${path.replaceAll(".", "-")}`;

// An error that stands away from its field begins with the field's label.
function labelled({ field, message }) {
  const label = field && (FIELDS[field] ?? FIELDS[field.split(".").findLast((part) => part in FIELDS)] ?? field.replaceAll(/[._]/g, " "));
  return label ? `${label}: ${message.charAt(0).toLowerCase()}${message.slice(1)}` : sentence(message);
}

// The API's names of fields become the screen's labels, its null says nothing to a person, and what the person has typed
// is not masked before the same person.
function inScreenWords(message, form, path) {
  const known = message.replace(/\b[a-z]+(?:_[a-z0-9]+)+\b|\bdids\b/g, (name) => labelOf(form, path, name) ?? name);
  const plain = known.replace(/;[^;.]*\bnull\b[^;.]*/g, "").replace(/\bnull\b/g, "empty");
  const input = form.querySelector(`#${CSS.escape(idOf(path))}`);
  return sentence(input?.value && input.type !== "password" ? unmasked(plain, input.value) : plain);
}

function labelOf(form, path, name) {
  const beside = [...path.split(".").slice(0, -1), name].join(".");
  const label = [beside, name].map((one) => form.querySelector(`label[for="${idOf(one)}"]`)).find(Boolean);
  const text = label?.firstChild.textContent.trim() ?? FIELDS[name];
  return text && `“${text}”`;
}

// A masked number in a message: +1404***0121.
const MASKED = /(\+?)(\d*)(?<!\*)\*{3}(?!\*)(\d*)/g;

function unmasked(message, typed) {
  const entries = typed.split(/[;,\n\r\t\u2028]+/).map((entry) => entry.trim()).filter(Boolean);
  return message.replace(MASKED, (whole, _plus, head, tail) => {
    const meant = [...entries, ...entries.flatMap((entry) => entry.split(/\s*[-–]\s*(?=\+?\d{3,}$)/))].filter((entry) => {
      const digits = entry.replace(/[^\p{L}\p{N}]/gu, "");
      return head || tail ? digits.startsWith(head) && digits.endsWith(tail) && digits.length > head.length + tail.length : entries.length === 1;
    });
    return meant.length ? `“${meant[0]}”` : whole;
  });
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);
