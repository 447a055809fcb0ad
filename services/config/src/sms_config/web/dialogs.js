// Dialogs over the page. Focus returns to where it was when one is closed.

import { h } from "./dom.js";
import { lower } from "./toast.js";

// Show a dialog. It stays open until `mayClose` returns true: Escape and a click beside it are not enough.
export function show(dialog, closed = () => {}, { mayClose = () => true } = {}) {
  document.body.append(dialog);
  dialog.addEventListener("cancel", (event) => {
    if (!mayClose()) event.preventDefault();
  });
  dialog.addEventListener("close", () => {
    if (!mayClose()) return dialog.showModal(); // a browser closes at the second Escape, whatever one says
    lower(dialog);
    dialog.remove();
    return closed();
  });
  dialog.showModal();
}

// Ask before something that cannot be undone. Resolves to whether to go on.
export function confirm({ title, text, action, cancel = "Cancel", dangerous = true }) {
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
        h("button", { type: "button", class: "button", onclick: close("no") }, cancel),
        h("button", { type: "button", class: dangerous ? "button danger" : "button primary", onclick: close("yes") }, action),
      ),
    );
    show(dialog, () => resolve(dialog.returnValue === "yes"));
  });
}

// Show something that must be read. Resolves when it is closed.
export function inform({ title, text, action = "Understood" }) {
  return new Promise((resolve) => {
    const dialog = h(
      "dialog",
      { "aria-labelledby": "dialog-title" },
      h("h2", { id: "dialog-title" }, title),
      h("p", {}, text),
      h("div", { class: "actions end" }, h("button", { type: "button", class: "button primary", onclick: () => dialog.close() }, action)),
    );
    show(dialog, resolve);
  });
}
