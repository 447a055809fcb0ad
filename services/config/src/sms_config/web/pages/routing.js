// A tenant's clock and whom it does not hear: time zone, office hours, holidays, blocked senders.

import { get } from "../api.js";
import { picker } from "../combobox.js";
import { patch } from "../conflict.js";
import { h, icon } from "../dom.js";
import { counting } from "../entries.js";
import { findZone } from "../lookups.js";
import { changes, choices, field, form, text } from "../forms.js";
import { editor, readHours, tidy } from "../hours.js";
import { head } from "../lists.js";
import { go } from "../router.js";
import { say } from "../toast.js";
import { FIELDS, PERMISSIONS } from "../words.js";
import { chooseTenant, needsTenant } from "./choose.js";
import { maskHelp } from "./inbound.js";

const HOLIDAYS = 1000;
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeZone: "UTC" });

export async function routing(context) {
  const top = head("Hours & blocking", "When the office is open, for the rules that ask, and senders who are not heard.");
  if (needsTenant(context)) return [top, chooseTenant(context.session, "routing", "Hours belong")];
  const item = await get("routing");
  return [top, h("div", { class: "columns" }, fields(item), aside())];
}

function fields(item) {
  const loaded = { ...item, hours: tidy(item.hours) };
  const save = async (data) => {
    const values = { time_zone: text(data, "time_zone") ?? "", hours: data.get("hours_of") === "weekly" ? readHours(data, "hours") : null, holidays: [...new Set(data.getAll("holidays").filter(Boolean))].sort(), blocked_senders: text(data, "blocked_senders") ?? "", unlisted_extensions: data.get("unlisted_extensions") };
    const saved = await patch("routing", changes(values, loaded), item.version, FIELDS);
    go("routing");
    say(saved === null ? "Loaded again" : "Saved");
  };
  return form({ save, submit: "Save changes", label: "Hours & blocking" },
    h("section", { class: "card", "aria-labelledby": "hours-title" }, h("h2", { id: "hours-title" }, "Office hours"), zone(item.time_zone), weekly(loaded.hours)),
    h("section", { class: "card", "aria-labelledby": "holidays-title" }, h("h2", { id: "holidays-title" }, "Holidays"), holidays(item.holidays)),
    h("section", { class: "card", "aria-labelledby": "blocked-title" }, h("h2", { id: "blocked-title" }, "Blocked senders"),
      counting(field({ name: "blocked_senders", label: "Numbers and masks", as: "textarea", rows: "3", value: item.blocked_senders, spellcheck: "false", placeholder: "+13125550199; 1900*******", hint: "Numbers, masks, short codes, names and e-mail addresses, each on a line or separated by semicolons. Their texts are counted and dropped before any rule is asked." }))),
    h("section", { class: "card", "aria-labelledby": "unlisted-title" }, h("h2", { id: "unlisted-title" }, "Extensions that are not listed"),
      choices({ name: "unlisted_extensions", label: "What they may do", type: "radio", among: Object.entries(PERMISSIONS).map(([value, [, label, meaning]]) => [value, label, meaning]), chosen: [item.unlisted_extensions] })));
}

function zone(given) {
  const now = h("p", { class: "hint" });
  const show = (name) => {
    now.textContent = known(name) ? `It is ${new Intl.DateTimeFormat(undefined, { timeZone: name, weekday: "long", hour: "numeric", minute: "2-digit" }).format(new Date())} there now.` : "";
  };
  show(given);
  const place = picker({ name: "time_zone", label: "Time zone", required: true, value: given, text: given, free: true, find: findZone, chosen: ({ value }) => show(value) });
  place.append(now);
  return place;
}

function known(zone) {
  try {
    return Boolean(new Intl.DateTimeFormat(undefined, { timeZone: zone }));
  } catch {
    return false;
  }
}

function weekly(hours) {
  const place = h("div", {});
  const among = [["always", "Always open", "Every time that is no holiday counts as office hours."], ["weekly", "Weekly hours", null]];
  const radios = choices({ name: "hours_of", label: "Open", type: "radio", among, chosen: [hours === null ? "always" : "weekly"] });
  const show = () => {
    const some = radios.querySelector("input:checked").value === "weekly";
    if (some && place.children.length === 0) place.append(editor({ name: "hours", hours }));
    place.hidden = !some;
  };
  radios.addEventListener("change", show);
  show();
  return [radios, place];
}

// Days in their order, each with a button that takes it out again.
function holidays(given) {
  const chips = h("ul", { class: "chips", "aria-label": "Holidays" });
  const none = h("p", { class: "hint" }, "None yet.");
  // A day that was chosen and not added yet is saved too.
  const day = h("input", { type: "date", name: "holidays", id: "field-holidays", "aria-describedby": "field-holidays-error field-holidays-hint" });
  const all = () => [...chips.querySelectorAll("input")].map((input) => input.value);
  const draw = (dates) => {
    chips.replaceChildren(...[...new Set(dates)].sort().map(chip));
    none.hidden = chips.children.length > 0;
    chips.hidden = !none.hidden;
  };
  const chip = (date) => {
    const words = DATE.format(new Date(`${date}T00:00:00Z`));
    const remove = () => { draw(all().filter((other) => other !== date)); say(`${words} removed`); day.focus(); };
    return h("li", { class: "chip" }, h("input", { type: "hidden", name: "holidays", value: date }), h("time", { datetime: date }, words), h("button", { type: "button", "aria-label": `Remove ${words}`, onclick: remove }, icon("cross")));
  };
  const add = () => {
    if (!day.value || all().length >= HOLIDAYS) return;
    draw([...all(), day.value]);
    say("Holiday added");
    day.value = "";
    day.focus();
  };
  day.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // adds the day; the form is saved by its button
    add();
  });
  draw(given);
  return h("div", { class: "field" }, chips, none, h("label", { for: "field-holidays" }, "Add a day"), h("div", { class: "joined short" }, day, h("button", { type: "button", class: "button", onclick: add }, icon("plus"), h("span", {}, "Add"))), h("p", { id: "field-holidays-hint", class: "hint" }, "A whole day in the tenant's time zone. Holidays win over hours."), h("p", { id: "field-holidays-error", class: "error" }));
}

function aside() {
  return h("aside", { class: "card steps", "aria-labelledby": "use-title" },
    h("h2", { id: "use-title" }, "What it is for"),
    h("ol", {},
      h("li", {}, h("strong", {}, "Inbound rules "), "have a destination for office hours, for other times and for holidays."),
      h("li", {}, h("strong", {}, "Outbound rules "), "can refuse or hold texts while the office is closed."),
      h("li", {}, h("strong", {}, "A rule "), "can have hours of its own. Holidays are the tenant's for all of them.")),
    maskHelp([["+13125550199", "one sender"], ["1900*******", "every number of 11 digits that begins with 1900"], ["SPAMCO", "a sender that is a name"]]));
}
