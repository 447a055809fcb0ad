// Tells a page that messages have changed: the server says only that, and the page reads again.

import { open } from "./api.js";
import { h } from "./dom.js";
import { logInAgain } from "./session.js";

const FIRST_PAUSE = 2000;
const LONGEST_PAUSE = 30000;
// Asking again helps with none of these.
const FINAL = [403, 404, 422];

// Call `changed` whenever messages did, and now and then while nothing can be listened to. It is called for one thing
// after the other, never while the page is hidden, and once when it is seen again. Returns what ends it, and a `bar` for
// the page that says why what is shown may be old.
export function whenChanged(query, changed) {
  let listening = null;
  const bar = h("div", { class: "note warn split", role: "status", hidden: true });
  const tell = oneAtATime(changed);
  const say = (text, button = "") => {
    bar.hidden = text === null;
    if (bar.dataset.said === String(text)) return;
    bar.dataset.said = String(text);
    bar.replaceChildren(h("p", {}, text ?? ""), button);
  };
  const attend = () => {
    listening?.abort();
    listening = document.hidden ? null : new AbortController();
    if (listening !== null) listen(query, tell, listening.signal, told);
  };
  const told = {
    well: () => say(null),
    away: (why = "The gateway cannot be reached.") => say(`${why} What you see may be out of date. Trying again…`),
    refused: (why = "The gateway refuses to tell of changes.") => say(`${why} What you see may be out of date.`),
    ended: () => say("Your session has ended. What you see may be out of date.", h("button", { type: "button", class: "button small", onclick: async () => { if (await logInAgain()) attend(); } }, "Log in")),
  };
  document.addEventListener("visibilitychange", attend);
  attend();
  const stop = () => {
    document.removeEventListener("visibilitychange", attend);
    listening?.abort();
    bar.remove();
  };
  return { bar, stop };
}

async function listen(query, tell, signal, told) {
  for (let pause = FIRST_PAUSE; !signal.aborted; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
    try {
      const answer = await open("events/messages", { query, signal });
      if (answer.status === 401) return void told.ended();
      if (FINAL.includes(answer.status)) return void told.refused(await sentence(answer));
      if (answer.ok) {
        pause = FIRST_PAUSE;
        told.well();
        await follow(answer.body.getReader(), tell);
      } else {
        told.away(await sentence(answer));
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof TypeError)) throw error; // what fetch makes of a lost connection
      told.away();
    }
    await waited(pause, signal);
    if (!signal.aborted) tell();
  }
}

async function sentence(answer) {
  const found = await answer.json().catch(() => null);
  return found?.message;
}

async function follow(reader, tell) {
  const decoder = new TextDecoder();
  let text = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    text += decoder.decode(part.value, { stream: true });
    const blocks = text.split("\n\n");
    text = blocks.pop();
    if (blocks.some((block) => block.startsWith("event: changed"))) tell();
  }
}

const waited = (milliseconds, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });

function oneAtATime(work) {
  let running = false;
  let again = false;
  return async () => {
    again = running;
    if (running) return;
    running = true;
    do {
      again = false;
      await work();
    } while (again);
    running = false;
  };
}

// Put new content in place of the old; focus stays at the link it was at.
export function renew(place, ...content) {
  const focused = place.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  place.replaceChildren(...content.filter(Boolean));
  if (focused !== null) place.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}
