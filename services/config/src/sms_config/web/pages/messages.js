// Message history: the list with its filters, and one message with its timeline.

import { ApiError, get } from "../api.js";
import { CODES } from "../codes.js";
import { badge, clock, h, icon, plural, time } from "../dom.js";
import { names } from "../lookups.js";
import { field, option } from "../forms.js";
import { empty, head, nothingFound, paging, table } from "../lists.js";
import { replaceContent, onMessagesChanged } from "../live.js";
import { showErrors } from "../problems.js";
import { back, hash, link } from "../router.js";
import { say } from "../toast.js";
import { STATUS } from "../words.js";
import { chooseTenant } from "./choose.js";
import { actionInWords } from "./inbound.js";

const PAGE = 25;
const FILTERS = ["number", "status", "direction", "since", "until", "search", "config_id"];

export async function messages({ query, system, tenantId, session, leaving }) {
  const top = head("Message history", "Every text that came in or went out, and what became of it.");
  if (system && tenantId === null) return [top, chooseTenant(session, "messages", "Messages belong")];
  const place = h("div", { class: "stacked" });
  const shown = (found) => replaceContent(place, ...listed(found, query));
  let wanted;
  try {
    wanted = wantedBy(query);
    shown(await get("messages", wanted));
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 422) throw error;
    return [top, ...refused(query, error)];
  }
  const { bar, stop } = onMessagesChanged({}, again(() => get("messages", wanted, { unattended: true }), shown));
  leaving(stop);
  return [top, filters(query), bar, place];
}

function wantedBy(query) {
  const asked = Object.fromEntries(FILTERS.map((name) => [name, query.get(name)]));
  return { ...asked, since: moment(asked.since, "since"), until: moment(asked.until, "until"), skip: query.get("skip"), top: PAGE };
}

// The filters, with what is wrong beside each.
function refused(query, error) {
  const form = filters(query);
  const place = h("div", { class: "problem", role: "alert", hidden: true });
  showErrors(form, place, error, "Nothing is shown");
  return [form, place];
}

// Read again and show it. What cannot be read now is read at the next change.
const again = (read, show) => async () => {
  try {
    show(await read());
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
  }
};

function listed(found, query) {
  const filtered = FILTERS.some((name) => query.get(name));
  const columns = [
    { title: "Time", cell: (item) => h("a", { href: link(`messages/${encodeURIComponent(item.id)}`) }, time(item.time)) },
    { title: "Direction", cell: direction },
    { title: "Sender", cell: (item) => item.sender ?? h("span", { class: "minor" }, "None"), kind: "number" },
    { title: "Receiver", cell: (item) => item.receiver, kind: "number" },
    { title: "Type", cell: (item) => item.msg_type },
    { title: "Content", cell: (item) => h("span", { class: "clip" }, item.content || (item.media.length ? plural(item.media.length, "file") : "")) },
    { title: "Status", cell: (item) => statusBadge(item.status) },
  ];
  const hint = query.get("number") ? "A number is found as a whole only, with its area code; part of one finds nothing." : null;
  const none = filtered || found.count
    ? nothingFound("messages", { query, found, hint })
    : empty({ shape: "messages", title: "No message yet", text: "Texts appear here as soon as the PBX publishes the first one, or somebody writes to one of the numbers." });
  return [
    found.items.length ? table({ caption: "Messages", columns, items: found.items, open: (item) => `messages/${encodeURIComponent(item.id)}` }) : none,
    paging({ path: "messages", query, found }),
  ];
}

function direction(item) {
  const inbound = item.direction === "IN";
  return h("span", { class: "with-icon" }, icon(inbound ? "inbound" : "outbound"), inbound ? "In" : "Out");
}

export function statusBadge(status) {
  const [words, tone] = STATUS[status] ?? [status, "off"];
  return badge(words, tone);
}

// Fields of this kind give the local time without its zone.
function moment(local, field) {
  if (!local) return null;
  const at = new Date(local);
  if (!Number.isNaN(at.valueOf())) return at.toISOString();
  throw new ApiError(422, { code: "invalid_request", message: "", errors: [{ field, message: `“${local}” in the address is no time` }] });
}

function filters(query) {
  const onsubmit = (event) => {
    event.preventDefault();
    location.hash = hash("messages", Object.fromEntries(new FormData(event.target)));
  };
  const given = (name) => query.get(name) ?? "";
  const open = ["status", "direction", "since", "until"].some((name) => query.get(name));
  return h(
    "form",
    { class: "filters card", role: "search", "aria-label": "Filter messages", onsubmit },
    h("div", { class: "fields first" },
      field({ name: "number", label: "Number", type: "search", value: given("number"), placeholder: "Sender or receiver, whole" }),
      field({ name: "search", label: "Message ID", type: "search", value: given("search") }),
      h("div", { class: "actions" }, h("button", { class: "button" }, "Filter"), FILTERS.some((name) => query.get(name)) ? h("a", { href: link("messages") }, "Clear") : null),
    ),
    h("details", { open }, h("summary", {}, "More filters"),
      h("div", { class: "fields" },
        field({ name: "status", label: "Status", as: "select", value: given("status"), children: [option("", "Any"), Object.entries(STATUS).filter(([name]) => name !== "received").map(([name, [words]]) => option(name, words))] }),
        field({ name: "direction", label: "Direction", as: "select", value: given("direction"), children: [option("", "Both"), option("IN", "In"), option("OUT", "Out")] }),
        field({ name: "since", label: "From", type: "datetime-local", value: given("since") }),
        field({ name: "until", label: "Until", type: "datetime-local", value: given("until") }),
      )),
  );
}

export async function message({ id, query, leaving, system }) {
  const read = async (options) => called(await get(`messages/${encodeURIComponent(id)}`, { tenant_id: query.get("tenant") }, options), options);
  const item = await read();
  const place = h("div", { class: "columns" }, ...parts(item));
  let bar = null;
  if (!item.final) {
    let steps = item.history.length;
    const show = (now) => {
      if (now.history.length === steps) return;
      steps = now.history.length;
      replaceContent(place, ...parts(now));
      say(`Status: ${STATUS[now.status]?.[0] ?? now.status}`);
      if (now.final) stop();
    };
    const { bar: found, stop } = onMessagesChanged({ message_id: item.id, tenant_id: item.tenant_id }, again(() => read({ unattended: true }), show));
    bar = found;
    leaving(stop);
  }
  return [
    h("nav", { class: "crumbs", "aria-label": "Back" }, h("a", { href: back("messages") }, "Message history")),
    head(item.direction === "IN" ? `Text from ${item.sender}` : `Text to ${item.receiver}`, null, h("a", { class: "button", href: hash("explain", { message: item.id }, system ? item.tenant_id : undefined) }, icon("explain"), h("span", {}, "Explain"))),
    bar,
    place,
  ].filter(Boolean);
}

// The message with the names of its configuration and of the rule that decided.
async function called(item, options) {
  const rules = item.direction === "IN" ? "inbound-rules" : "outbound-rules";
  const [configs, deciding] = await Promise.all([names("sms", [item.config_id].filter(Boolean), options), names(rules, [item.rule_id].filter(Boolean), options)]);
  return { ...item, config_name: configs.get(item.config_id), rule_name: deciding.get(item.rule_id) };
}

function parts(item) {
  return [
    h("div", {},
      h("section", { class: "card", "aria-labelledby": "text-title" },
        h("div", { class: "split" }, h("h2", { id: "text-title" }, "Text"), statusBadge(item.status)),
        item.content ? h("p", { class: `bubble ${item.direction === "IN" ? "in" : "out"}` }, item.content) : h("p", { class: "minor" }, "No text"),
        item.media.length ? h("p", { class: "minor" }, plural(item.media.length, "media file")) : null,
        why(item)),
      h("section", { class: "card", "aria-labelledby": "record-title" }, h("h2", { id: "record-title" }, "Record"), record(item))),
    h("aside", { class: "card", "aria-labelledby": "timeline-title" }, h("h2", { id: "timeline-title" }, "Timeline"), timeline(item)),
  ];
}

function why(item) {
  const error = item.error;
  if (!error) return item.reason ? h("p", { class: "note" }, item.reason) : null;
  return h("div", { class: "note" }, h("p", {}, h("strong", {}, CODES[error.code] ?? error.code)), error.advice && h("p", {}, error.advice), error.carrier_text && h("p", { class: "hint" }, `The carrier says: ${error.carrier_text}${error.carrier_code ? ` (code ${error.carrier_code})` : ""}`));
}

function record(item) {
  const rows = [
    ["Message ID", h("code", {}, item.id)],
    ["Configuration", item.config_id ? h("a", { href: link(`sms/${item.config_id}`) }, item.config_name) : null],
    ["Destination", item.route ? [h("span", {}, actionInWords(item.route)), h("span", { class: "minor" }, item.route.reason)] : null],
    ["Rule", item.rule_id ? h("a", { href: link(`${item.direction === "IN" ? "inbound" : "outbound"}/${item.rule_id}`) }, item.rule_name) : null],
    ["Sender", item.sender],
    ["Receiver", item.receiver],
    ["DID", item.did],
    ["Direction", item.direction],
    ["Type", item.msg_type],
    ["Delivery", item.delivery],
    ["Reason", item.reason],
    ["Segments", item.segments],
    ["Extension", item.extension],
    ["Carrier's ID", item.provider_msg_id ? h("code", {}, item.provider_msg_id) : null],
    ["Time", time(item.time, { exact: true })],
  ];
  return h("dl", {}, rows.filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

function timeline(item) {
  const inbound = item.direction === "IN";
  return h("ol", { class: "timeline" }, folded(item.history).map(({ step, times, first, last }) => {
    const [words, tone, meaning] = STATUS[inbound ? "received" : step.status] ?? [step.status, "off", ""];
    const when = times === 1 ? time(step.at, { exact: true }) : h("span", { class: "minor" }, `Tried ${times} times, `, clock(first), " to ", clock(last));
    return h("li", { class: tone }, h("div", { class: "split" }, h("strong", {}, words), when), h("p", {}, step.code ? (CODES[step.code] ?? step.code) : meaning), step.carrier_code && h("p", { class: "hint" }, `Carrier's code ${step.carrier_code}`));
  }));
}

const WAITING = ["queued", "held", "submitting", "unknown"];

// A text that waits for the carrier has a step for every try: those that say the same are one line.
function folded(steps) {
  const lines = [];
  for (const step of steps) {
    const same = WAITING.includes(step.status) && lines.slice(-2).find((line) => alike(line.step, step));
    if (same) Object.assign(same, { times: same.times + 1, last: step.at });
    else lines.push({ step, times: 1, first: step.at, last: step.at });
  }
  return lines;
}

const alike = (a, b) => ["status", "code", "carrier_code"].every((name) => (a[name] ?? null) === (b[name] ?? null));

