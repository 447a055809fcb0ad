// Copies texts, and says "copied" only when the clipboard has the text.

import { h, icon } from "./dom.js";
import { show } from "./dialogs.js";
import { say } from "./toast.js";

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const KEYS = /Mac|iPhone|iPad/.test(navigator.userAgent) ? "⌘C" : "Ctrl+C";

// Copy `text`, which is `what` ("webhook address"), or show it selected for the person to copy.
export async function copy(text, what, near = document.body) {
  if (await copied(text, near)) say(`${capital(what)} copied`);
  else byHand(text, what);
}

async function copied(text, near) {
  // Browsers allow this only to pages that came over TLS.
  if (navigator.clipboard?.writeText) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Not allowed: the older command may still work.
    }
  }
  return copiedByCommand(text, near);
}

function copiedByCommand(text, near) {
  const before = document.activeElement;
  const field = h("textarea", { class: "offscreen", readonly: true, "aria-hidden": "true" }, text);
  // Nothing outside of an open dialog can be selected.
  (near.closest("dialog") ?? document.body).append(field);
  let handed = false;
  field.addEventListener("copy", (event) => {
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
    handed = true;
  });
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  before?.focus({ preventScroll: true });
  return done && handed;
}

function byHand(text, what) {
  const field = h("textarea", { id: "by-hand", readonly: true, rows: "3", "aria-label": capital(what), spellcheck: "false" }, text);
  field.addEventListener("focus", () => field.select());
  const dialog = h(
    "dialog",
    { "aria-labelledby": "copy-title" },
    h("h2", { id: "copy-title" }, "Press ", h("kbd", {}, KEYS)),
    h("p", {}, `This browser lets no page put anything into the clipboard by itself here. The ${what} is selected: press ${KEYS}.`),
    field,
    h("div", { class: "actions end" }, h("button", { type: "button", class: "button primary", onclick: () => dialog.close() }, "Done")),
  );
  show(dialog);
  field.focus();
  field.select();
}

// A button that copies. Its spoken name, "Copy webhook address", begins with what is written on it.
export function copyButton(text, what, { label = "Copy" } = {}) {
  const onclick = (event) => {
    event.stopPropagation();
    copy(text, what, event.currentTarget);
  };
  return h("button", { type: "button", class: "button small", "aria-label": `Copy ${what}`, onclick }, icon("copy"), h("span", {}, label));
}
