// Tells a page that messages have changed: the server says only that, and the page reads again.

import { open } from "./api.js";

const FIRST_PAUSE = 2000;
const LONGEST_PAUSE = 30000;
// Without these the person has to do something first.
const FINAL = [401, 403, 404, 422];

// Call `changed` whenever messages did, and now and then while nothing can be listened to. It is called for one thing
// after the other, never while the page is hidden, and once when it is seen again. Returns what ends it.
export function whenChanged(query, changed) {
  let listening = null;
  const tell = oneAtATime(changed);
  const attend = () => {
    listening?.abort();
    listening = document.hidden ? null : new AbortController();
    if (listening !== null) listen(query, tell, listening.signal);
  };
  document.addEventListener("visibilitychange", attend);
  attend();
  return () => {
    document.removeEventListener("visibilitychange", attend);
    listening?.abort();
  };
}

async function listen(query, tell, signal) {
  for (let pause = FIRST_PAUSE; !signal.aborted; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
    try {
      const answer = await open("events/messages", { query, signal });
      if (FINAL.includes(answer.status)) return;
      if (answer.ok) {
        pause = FIRST_PAUSE;
        await follow(answer.body.getReader(), tell);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof TypeError)) throw error; // what fetch makes of a lost connection
    }
    await waited(pause, signal);
    if (!signal.aborted) tell();
  }
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
