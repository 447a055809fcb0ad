// Short messages about what happened, on the screen and for screen readers.

const SECONDS = 5;
let timer;
let place;

// Show a text for a while, or until the person opens another page.
export function say(text) {
  const said = document.getElementById("said");
  raise(said);
  said.textContent = "";
  place = location.hash;
  clearTimeout(timer);
  requestAnimationFrame(() => {
    said.textContent = text;
    said.classList.add("shown");
  });
  timer = setTimeout(hush, SECONDS * 1000);
}

// Remove a text that belongs to another page.
export function hushOthers() {
  if (place !== location.hash) hush();
}

function hush() {
  clearTimeout(timer);
  const said = document.getElementById("said");
  said.classList.remove("shown");
  said.textContent = "";
}

// Move a floating element into the open dialog: what lies under a dialog is neither seen nor read aloud.
export function raise(floating) {
  const top = [...document.querySelectorAll("dialog:modal")].at(-1) ?? document.body;
  if (floating.parentElement !== top) top.append(floating);
}

// Move floating elements out of a dialog before it is removed.
export const lower = (dialog) => document.body.append(...dialog.querySelectorAll(":scope > .floats"));
