// Warns before the person leaves a form with unsaved changes.

import { confirm } from "./dialogs.js";

let begun = new Map(); // each form of the page, with its first content

const content = (form) => JSON.stringify([...new FormData(form)].map(([name, value]) => [name, String(value)]));

// Watch a form. Its present content is what is stored.
export function guard(form) {
  begun.set(form, content(form));
}

// Stop watching: the changes are saved, or no longer wanted.
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
