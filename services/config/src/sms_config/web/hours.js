// Weekly hours in a form: for each weekday the spans in which the office is open.

import { h, icon } from "./dom.js";
import { say } from "./toast.js";

export const DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const SPANS = 10;
const OFFICE = { opens: "09:00", closes: "17:00" };

const capital = (day) => day.charAt(0).toUpperCase() + day.slice(1);
const short = (time) => (time ?? "").slice(0, 5);

// The hours as the API has them with times of the form 09:00, every day named.
export const tidy = (hours) =>
  hours === null || hours === undefined ? null : Object.fromEntries(DAYS.map((day) => [day, (hours[day] ?? []).map(({ opens, closes }) => ({ opens: short(opens), closes: short(closes) }))]));

// The hours in a form's data, for the fields that `editor` made under `name`.
export function readHours(data, name) {
  const spans = (day) => data.getAll(`${name}.${day}.opens`).map((opens, place) => ({ opens, closes: data.getAll(`${name}.${day}.closes`)[place] }));
  return Object.fromEntries(DAYS.map((day) => [day, spans(day)]));
}

// An editor. Without `hours` it begins with an office's usual week.
export function editor({ name, hours }) {
  const given = tidy(hours) ?? Object.fromEntries(DAYS.map((day, place) => [day, place < 5 ? [OFFICE] : []]));
  const days = new Map(DAYS.map((day) => [day, dayRow(name, day, given[day])]));
  const copy = () => {
    const monday = days.get("monday").spans();
    for (const day of DAYS.slice(1, 5)) days.get(day).fill(monday);
    say("Monday's hours copied to Tuesday, Wednesday, Thursday and Friday");
  };
  return h("div", { class: "field hours" },
    [...days.values()].map(({ element }) => element),
    h("p", { id: `field-${name}-error`, class: "error" }),
    h("p", { class: "hint" }, "A day without hours is closed. Closing at 00:00 means midnight; split a night at midnight."),
    h("div", { class: "actions" }, h("button", { type: "button", class: "button small", onclick: copy }, icon("copy"), h("span", {}, "Copy Monday to Tuesday–Friday"))));
}

function dayRow(name, day, given) {
  const list = h("div", { class: "spans" });
  const closed = h("span", { class: "minor" }, "Closed");
  const add = h("button", { type: "button", class: "button quiet small", "aria-label": `Add hours on ${capital(day)}`, onclick: () => { append(list.children.length ? { opens: "", closes: "" } : OFFICE).querySelector("input").focus(); refresh(); } }, icon("plus"), h("span", {}, "Add"));

  function append({ opens, closes }) {
    const time = (what, value) => h("input", { type: "time", name: `${name}.${day}.${what}`, value, required: true });
    const remove = h("button", { type: "button", class: "button quiet small", onclick: () => { span.remove(); refresh(); add.focus(); } }, icon("cross"));
    const span = h("div", { class: "span" }, time("opens", opens), h("span", { "aria-hidden": "true" }, "–"), time("closes", closes), remove, h("p", { class: "error" }));
    list.append(span);
    return span;
  }

  // The API speaks of a span by its place: of the whole, or of one of its times.
  function refresh() {
    [...list.children].forEach((span, place) => {
      const [opens, closes] = span.querySelectorAll("input");
      const error = span.querySelector(".error");
      error.id = `field-${name}-${day}-${place}-error`;
      for (const [input, what] of [[opens, "opens"], [closes, "closes"]]) {
        input.id = `field-${name}-${day}-${place}-${what}`;
        input.setAttribute("aria-label", `${capital(day)}, hours ${place + 1}: ${what}`);
        input.setAttribute("aria-describedby", error.id);
      }
      span.querySelector("button").setAttribute("aria-label", `Remove hours ${place + 1} of ${capital(day)}`);
    });
    closed.hidden = list.children.length > 0;
    add.disabled = list.children.length >= SPANS;
  }

  const fill = (spans) => {
    list.replaceChildren();
    spans.forEach(append);
    refresh();
  };
  fill(given);
  const spans = () => [...list.children].map((span) => Object.fromEntries([...span.querySelectorAll("input")].map((input, place) => [place ? "closes" : "opens", input.value])));
  return { element: h("div", { class: "day", role: "group", "aria-label": capital(day) }, h("span", { class: "day-name" }, capital(day)), closed, list, add), fill, spans };
}

// The hours in words, a line for each run of days with the same hours: Monday–Friday 09:00–17:00.
export function hoursInWords(hours) {
  const week = tidy(hours);
  const lines = [];
  for (const day of DAYS) {
    const times = week[day].map(({ opens, closes }) => `${opens}–${closes}`).join(", ");
    const last = lines.at(-1);
    if (last?.times === times) last.to = day;
    else lines.push({ from: day, to: day, times });
  }
  const open = lines.filter(({ times }) => times);
  if (open.length === 0) return ["Always closed"];
  return open.map(({ from, to, times }) => `${capital(from)}${to === from ? "" : `–${capital(to)}`} ${times}`);
}
