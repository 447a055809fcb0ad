// Says what happened, to eyes and to screen readers.

const SECONDS = 5;
let timer;
let place;

// Say it for a while, or until the person goes on to another page.
export function say(text) {
  const said = document.getElementById("said");
  over(said);
  said.textContent = "";
  place = location.hash;
  clearTimeout(timer);
  requestAnimationFrame(() => {
    said.textContent = text;
    said.classList.add("shown");
  });
  timer = setTimeout(hush, SECONDS * 1000);
}

// End what was said on another page than this one.
export function hushOthers() {
  if (place !== location.hash) hush();
}

function hush() {
  clearTimeout(timer);
  const said = document.getElementById("said");
  said.classList.remove("shown");
  said.textContent = "";
}

// Put what floats over the page over an open dialog: what lies under it is neither seen nor read aloud.
export function over(floating) {
  const top = [...document.querySelectorAll("dialog:modal")].at(-1) ?? document.body;
  if (floating.parentElement !== top) top.append(floating);
}

// Before a dialog goes, take out of it what floats over the page.
export const comeOut = (dialog) => document.body.append(...dialog.querySelectorAll(":scope > .floats"));
