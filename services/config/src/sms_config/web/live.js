// Notifies a page that messages have changed. The server sends only that, and the page reads again.

import { open } from "./api.js";
import { h } from "./dom.js";
import { logInAgain } from "./session.js";

const FIRST_PAUSE = 2000;
const LONGEST_PAUSE = 30000;
// With these, another attempt would not help.
const FINAL = [403, 404, 422];

// Call `changed` when messages have changed, and from time to time while there is no connection. Calls never overlap. There
// are none while the page is hidden, and one when it is shown again. Returns `stop`, and a `bar` for the page that says
// why it may be out of date.
export function onMessagesChanged(query, changed) {
  let connection = null;
  const bar = h("div", { class: "note warn split", role: "status", hidden: true });
  const notify = oneAtATime(changed);
  const say = (text, button = "") => {
    bar.hidden = text === null;
    if (bar.dataset.said === String(text)) return;
    bar.dataset.said = String(text);
    bar.replaceChildren(h("p", {}, text ?? ""), button);
  };
  const reconnect = () => {
    connection?.abort();
    connection = document.hidden ? null : new AbortController();
    if (connection !== null) connect(query, notify, connection.signal, status);
  };
  const status = {
    connected: () => say(null),
    away: (why = "The gateway cannot be reached.") => say(`${why} What you see may be out of date. Trying again…`),
    refused: (why = "The gateway refuses to notify of changes.") => say(`${why} What you see may be out of date.`),
    ended: () => say("Your session has ended. What you see may be out of date.", h("button", { type: "button", class: "button small", onclick: async () => { if (await logInAgain()) reconnect(); } }, "Log in")),
  };
  document.addEventListener("visibilitychange", reconnect);
  reconnect();
  const stop = () => {
    document.removeEventListener("visibilitychange", reconnect);
    connection?.abort();
    bar.remove();
  };
  return { bar, stop };
}

async function connect(query, notify, signal, status) {
  for (let pause = FIRST_PAUSE; !signal.aborted; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
    try {
      const answer = await open("events/messages", { query, signal });
      if (answer.status === 401) return void status.ended();
      if (FINAL.includes(answer.status)) return void status.refused(await sentence(answer));
      if (answer.ok) {
        pause = FIRST_PAUSE;
        status.connected();
        await readEvents(answer.body.getReader(), notify);
      } else {
        status.away(await sentence(answer));
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof TypeError)) throw error; // what fetch makes of a lost connection
      status.away();
    }
    await delay(pause, signal);
    if (!signal.aborted) notify();
  }
}

async function sentence(answer) {
  const found = await answer.json().catch(() => null);
  return found?.message;
}

async function readEvents(reader, notify) {
  const decoder = new TextDecoder();
  let text = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    text += decoder.decode(part.value, { stream: true });
    const blocks = text.split("\n\n");
    text = blocks.pop();
    if (blocks.some((block) => block.startsWith("event: changed"))) notify();
  }
}

const delay = (milliseconds, signal) =>
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

// Replace the content of an element. The focus stays on the same link.
export function replaceContent(place, ...content) {
  const focused = place.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  place.replaceChildren(...content.filter(Boolean));
  if (focused !== null) place.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}
