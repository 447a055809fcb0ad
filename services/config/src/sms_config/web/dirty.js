// Keeps what was typed from being lost: asks before the person leaves a form that is not saved.

import { confirm } from "./dialogs.js";

let begun = new Map(); // each form of the page with what was in it at first

const content = (form) => JSON.stringify([...new FormData(form)].map(([name, value]) => [name, String(value)]));

// Guard a form. What it holds now is what is stored.
export function guard(form) {
  begun.set(form, content(form));
}

// What was typed is stored, or is not wanted any more.
export function forget() {
  begun = new Map();
}

export const isDirty = () => [...begun].some(([form, first]) => form.isConnected && content(form) !== first);

// Resolves to whether the page may be left.
export async function mayLeave() {
  if (!isDirty()) return true;
  const left = await confirm({ title: "Leave without saving?", text: "What you changed on this page is not saved yet.", action: "Leave without saving", cancel: "Stay" });
  if (left) forget();
  return left;
}

addEventListener("beforeunload", (event) => {
  if (isDirty()) event.preventDefault();
});
