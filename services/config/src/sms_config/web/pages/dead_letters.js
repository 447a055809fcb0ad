// Dead letters and unrouted messages: lists them, and shows, replays and discards them.

import { call, get } from "../api.js";
import { copyButton } from "../clipboard.js";
import { CODES } from "../codes.js";
import { picker } from "../combobox.js";
import { confirm, inform } from "../dialogs.js";
import { badge, h, plural, time } from "../dom.js";
import { findTenant } from "../lookups.js";
import { field, form, option, text } from "../forms.js";
import { empty, head, nothingFound, paging, table } from "../lists.js";
import { back, goBack, hash, link } from "../router.js";
import { say } from "../toast.js";
import { PARKED } from "../words.js";

const PAGE = 25;
const MAX_LISTED = 1000;
const PLACES = {
  "dead-letters": { title: "Dead letters", lead: "Messages that could not be processed. Fix the cause, then replay them.", none: "No dead letter", happy: "Every message was processed." },
  unrouted: { title: "Unrouted", lead: "Messages that no queue was bound for, or whose number nobody owns.", none: "Nothing unrouted", happy: "Every message had a receiver." },
};

const placeOf = (query) => (query.get("place") === "unrouted" ? "unrouted" : "dead-letters");
const pathTo = (place, id) => hash(`dead/${encodeURIComponent(id)}`, { place: place === "unrouted" ? place : null });

export async function deadLetters({ query, system, tenantId }) {
  const place = placeOf(query);
  const about = PLACES[place];
  const found = await get(place, { top: PAGE, skip: query.get("skip"), code: query.get("code") });
  const top = [head("Dead letters", about.lead), tabs(place)];
  if (found.count === 0 && !query.get("code")) {
    return [...top, empty({ shape: "check", title: about.none, text: about.happy })];
  }
  const chosen = choosing(place, found.items);
  const columns = [
    { title: "Parked", cell: (item) => h("span", { class: "with-icon" }, chosen.box(item), h("a", { href: pathTo(place, item.id) }, time(item.parked_at) ?? item.id)) },
    { title: "Why", cell: why },
    { title: "From", cell: (item) => item.source ?? h("span", { class: "minor" }, "No queue was bound") },
    { title: "Message", cell: (item) => [item.type ?? "", h("span", { class: "minor" }, item.routing_key)] },
    ...(system && tenantId === null ? [{ title: "Tenant", cell: (item) => item.tenant_id ?? h("span", { class: "minor" }, "None") }] : []),
  ];
  return [
    ...top,
    filter(place, query, found.items),
    found.items.length ? [chosen.bar, table({ caption: about.title, columns, items: found.items })] : nothingFound("dead", { query, found }),
    found.count >= MAX_LISTED ? h("p", { class: "hint" }, `Only the oldest ${MAX_LISTED} are shown; the next ones appear when these are gone.`) : null,
    paging({ path: "dead", query, found }),
  ].flat().filter(Boolean);
}

const tabs = (place) =>
  h("div", { class: "tabs", role: "tablist", "aria-label": "Where" }, Object.entries(PLACES).map(([name, { title }]) =>
    h("button", { type: "button", role: "tab", "aria-selected": String(name === place), onclick: () => { location.hash = hash("dead", { place: name === "unrouted" ? name : null }); } }, title)));

function filter(place, query, items) {
  const onsubmit = (event) => {
    event.preventDefault();
    location.hash = hash("dead", { place: place === "unrouted" ? place : null, code: text(new FormData(event.target), "code") });
  };
  const given = query.get("code") ?? "";
  const codes = [...new Set([...PARKED, ...items.map(({ code }) => code), given])].filter(Boolean);
  return h("form", { class: "filters card", role: "search", "aria-label": "Filter messages", onsubmit },
    h("div", { class: "fields first" },
      field({ name: "code", label: "Why", as: "select", value: given, children: [option("", "Any reason"), codes.map((code) => option(code, CODES[code] ?? code))] }),
      h("div", { class: "actions" }, h("button", { class: "button" }, "Filter"))));
}

function why(item) {
  return h("span", { class: "stack wide" }, badge(item.code ?? (item.source === null ? "no queue was bound" : "no reason given"), "bad"), item.reason ? h("span", { class: "minor" }, item.reason) : CODES[item.code] ? h("span", { class: "minor" }, CODES[item.code]) : null);
}

// The check boxes, and the buttons for the chosen messages.
function choosing(place, items) {
  const ids = new Set();
  const boxes = [];
  const replay = h("button", { type: "button", class: "button small", disabled: true, onclick: () => act(place, "replay", [...ids]) }, "Replay");
  const discard = h("button", { type: "button", class: "button small danger quiet", disabled: true, onclick: () => act(place, "discard", [...ids]) }, "Discard…");
  const count = h("span", { class: "minor", "aria-live": "polite" }, "None chosen");
  const changed = () => {
    replay.disabled = discard.disabled = ids.size === 0;
    count.textContent = ids.size ? `${ids.size} chosen` : "None chosen";
    all.checked = ids.size === items.length;
    all.indeterminate = ids.size > 0 && ids.size < items.length;
  };
  const box = (item) => {
    const input = h("input", { type: "checkbox", "aria-label": `Choose ${item.id}`, onchange: () => {
      if (input.checked) ids.add(item.id);
      else ids.delete(item.id);
      changed();
    } });
    boxes.push([input, item.id]);
    return input;
  };
  const all = h("input", { type: "checkbox", onchange: () => {
    for (const [input, id] of boxes) {
      input.checked = all.checked;
      if (all.checked) ids.add(id);
    }
    if (!all.checked) ids.clear();
    changed();
  } });
  const bar = h("div", { class: "actions" }, h("label", { class: "choice" }, all, h("span", {}, "All on this page")), count, replay, discard);
  return { box, bar };
}

const counted = (count) => plural(count, "message");

async function act(place, verb, ids, more = {}) {
  const words = verb === "replay"
    ? { title: `Replay ${counted(ids.length)}?`, text: "Each goes back to where it came from. What fails again comes back here; what was processed already is not sent twice.", action: "Replay", dangerous: false }
    : { title: `Discard ${counted(ids.length)}?`, text: "They are removed for good, and nothing else keeps them. The audit log will say who did it.", action: "Discard" };
  if (!(await confirm(words))) return;
  await showResult(place, verb, await call("POST", `${place}/${verb}`, { body: { ids, ...more } }));
}

// Say what was done, and what was left and why. Then show the list again.
async function showResult(place, verb, { done, left, absent }) {
  const gone = absent.length ? ` ${counted(absent.length)} ${absent.length === 1 ? "was" : "were"} not there any more.` : "";
  if (left.length) {
    const reasons = [...new Set(left.map(({ says }) => says))].join(" ");
    await inform({ title: `${counted(left.length)} left where ${left.length === 1 ? "it was" : "they were"}`, text: `${reasons}${gone}` });
  }
  const query = place === "unrouted" ? "?place=unrouted" : "";
  goBack(`dead${query}`);
  say(`${counted(done.length)} ${verb === "replay" ? "replayed" : "discarded"}.${gone}`);
}

export async function deadLetter({ id, query, system }) {
  const place = placeOf(query);
  const path = `${place}/${encodeURIComponent(id)}`;
  const item = await get(path);
  const body = h("div", { class: "stacked" }, shown(item, reveal));
  async function reveal() {
    const words = { title: "Show the whole message?", text: "It contains a person's words and number. The audit log will say that you saw it.", action: "Show it", dangerous: false };
    if (!(await confirm(words))) return;
    body.replaceChildren(...shown(await call("POST", `${path}/reveal`), null));
  }
  return [
    h("nav", { class: "crumbs", "aria-label": "Back" }, h("a", { href: back(place === "unrouted" ? "dead?place=unrouted" : "dead") }, PLACES[place].title)),
    head(CODES[item.code] ? CODES[item.code].replace(/\.$/, "") : "Parked message", null,
      item.stuck ? null : h("button", { type: "button", class: "button primary", onclick: () => act(place, "replay", [item.id]) }, "Replay"),
      h("button", { type: "button", class: "button danger quiet", onclick: () => act(place, "discard", [item.id]) }, "Discard…")),
    item.stuck ? h("div", { class: "note" }, h("p", {}, item.stuck)) : null,
    system && place === "unrouted" && item.tenant_id === null ? giveToTenant(item) : null,
    h("div", { class: "columns" }, h("section", { class: "card", "aria-labelledby": "body-title" }, h("h2", { id: "body-title" }, "Message"), body), facts(item)),
  ].filter(Boolean);
}

function shown(item, reveal) {
  const what = item.body === null ? `${plural(item.size, "byte")} that are no JSON` : typeof item.body === "string" ? item.body : JSON.stringify(item.body, null, 2);
  return [
    h("pre", { class: "address", tabindex: "0", "aria-label": "Body" }, what),
    reveal ? h("div", { class: "actions" }, h("button", { type: "button", class: "button small", onclick: reveal }, "Show all…"), h("span", { class: "minor" }, "Numbers are masked and texts starred.")) : h("div", { class: "actions" }, copyButton(what, "message")),
  ];
}

function facts(item) {
  const rows = [
    ["Why", item.code],
    ["In words", item.reason],
    ["Parked", time(item.parked_at, { exact: true })],
    ["From", item.source ?? "No queue was bound"],
    ["Routing key", h("code", {}, item.routing_key)],
    ["Type", item.type],
    ["Tenant", item.tenant_id],
    ["Configuration", item.config_id ? h("a", { href: link(`sms/${encodeURIComponent(item.config_id)}`) }, item.config_id) : null],
    ["Size", plural(item.size, "byte")],
    ["ID", h("code", {}, item.id)],
  ];
  return h("aside", { class: "card", "aria-labelledby": "facts-title" }, h("h2", { id: "facts-title" }, "Facts"), h("dl", {}, rows.filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))));
}

// A form that gives an inbound text to the tenant that owns its number: nobody owned it then, or it came by the webhook of
// another tenant.
function giveToTenant(item) {
  const save = async (data) => {
    const answer = await call("POST", "unrouted/replay", { body: { ids: [item.id], tenant_id: text(data, "tenant_id") ?? "" } });
    await showResult("unrouted", "replay", answer);
  };
  return form({ save, submit: "Give it to the tenant", working: "Giving…", label: "Give it to a tenant" },
    h("div", { class: "card narrow" }, picker({ name: "tenant_id", label: "Tenant", required: true, find: findTenant, hint: "The tenant that owns the number; if none does, add it to a trunk first." })));
}
