// What would become of a text, decided by the code that decides it, with nothing sent.

import { ApiError, call, get } from "../api.js";
import { CODES } from "../codes.js";
import { picker } from "../combobox.js";
import { badge, dateTime, h, icon } from "../dom.js";
import { findConfig, names } from "../lookups.js";
import { field, form, option, text } from "../forms.js";
import { head, table } from "../lists.js";
import { hash, link } from "../router.js";
import { say } from "../toast.js";
import { CATEGORIES, PERIODS } from "../words.js";
import { chooseTenant, needsTenant } from "./choose.js";
import { actionInWords } from "./inbound.js";

const LEAD = "Ask what would become of a text. It is decided as a real one is, and nothing is sent or kept.";
const WAYS = { outbound: ["Outbound", outboundForm], inbound: ["Inbound", inboundForm] };

export async function explain(context) {
  const top = head("Explain", LEAD);
  if (needsTenant(context)) return [top, chooseTenant(context.session, "explain", "Texts belong")];
  const given = await beginning(context.query);
  const configs = given.config_id ? await names("sms", [given.config_id]) : new Map();
  return [top, ...tabs(given, configs)];
}

// What the form begins with: what the address says, or a message of the history.
async function beginning(query) {
  const given = Object.fromEntries(query);
  if (!given.message) return { way: "outbound", ...given };
  const message = await get(`messages/${encodeURIComponent(given.message)}`).catch(goneIsNone);
  if (message === null) return { way: "outbound" };
  if (message.direction === "IN") return { way: "inbound", sender: message.sender, did: message.did ?? message.receiver, channel: message.msg_type, at: message.time };
  return { way: "outbound", extension: message.extension, to: message.recipients[0], text: message.content };
}

function goneIsNone(error) {
  if (error instanceof ApiError && error.status === 404) return null;
  throw error;
}

function tabs(given, configs) {
  const contents = Object.fromEntries(Object.entries(WAYS).map(([way, [, make]]) => [way, make(way === given.way ? given : {}, configs)]));
  const panels = Object.fromEntries(Object.keys(WAYS).map((way) => [way, h("div", { id: `panel-${way}`, role: "tabpanel", "aria-labelledby": `tab-${way}` })]));
  const buttons = Object.entries(WAYS).map(([way, [title]]) => h("button", { type: "button", id: `tab-${way}`, role: "tab", "aria-controls": `panel-${way}`, onclick: () => open(way), onkeydown: turn }, icon(way), h("span", {}, title)));
  const open = (way) => {
    for (const button of buttons) {
      const on = button.id === `tab-${way}`;
      button.setAttribute("aria-selected", String(on));
      button.tabIndex = on ? 0 : -1;
      const name = button.id.slice(4);
      panels[name].hidden = !on;
      // Only one form is in the page at a time: the two have fields of the same name.
      panels[name].replaceChildren(...(on ? [contents[name]] : []));
    }
  };
  function turn(event) {
    if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    const other = buttons.find((button) => button !== event.currentTarget);
    open(other.id.slice(4));
    other.focus();
  }
  open(Object.hasOwn(WAYS, given.way) ? given.way : "outbound");
  return [h("div", { class: "tabs", role: "tablist", "aria-label": "Direction" }, buttons), ...Object.values(panels)];
}

// A form whose answer appears beside it.
function asking(path, label, begun, body, answer, ...fields) {
  const place = h("section", { class: "answer", "aria-label": "Answer" }, h("div", { class: "empty card" }, icon("explain"), h("p", {}, "The answer appears here: what would happen, and which rule is the reason.")));
  const save = async (data) => {
    const question = body(data);
    // The address asks the same again, for a colleague or after loading the page anew.
    history.replaceState(history.state, "", hash("explain", { way: path, ...question, asked: 1 }));
    const parts = await answer(await call("POST", `explain/${path}`, { body: question }));
    place.replaceChildren(...parts.filter(Boolean));
    say(place.querySelector("h2").textContent);
  };
  const element = form({ save, submit: "Explain", working: "Deciding…", refused: "Not decided", label, guarded: false }, h("div", { class: "card" }, fields));
  if (begun.asked) element.dispatchEvent(new SubmitEvent("submit", { cancelable: true }));
  return h("div", { class: "columns asking" }, element, place);
}

// What is empty is left out of the question.
const given = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null && value !== ""));

const when = (data) => (data.get("at") ? new Date(data.get("at")).toISOString() : null);

const moment = (iso) => {
  if (!iso) return "";
  const at = new Date(iso);
  if (Number.isNaN(at.valueOf())) return "";
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
};

const atField = (value) => field({ name: "at", label: "At", type: "datetime-local", value: moment(value), hint: "In your own time. Empty: now." });

function outboundForm(begun, configs) {
  const body = (data) => given({ extension: text(data, "extension"), to: text(data, "to"), text: data.get("text"), from: text(data, "from"), config_id: data.get("config_id"), category: data.get("category"), at: when(data) });
  return asking("outbound", "Outbound text", begun, body, outboundAnswer,
    h("div", { class: "pair even" },
      field({ name: "extension", label: "From extension", required: true, value: begun.extension ?? "", autocomplete: "off" }),
      field({ name: "to", label: "To", required: true, value: begun.to ?? "", autocomplete: "off", inputmode: "tel", placeholder: "+13125550101" })),
    field({ name: "text", label: "Text", as: "textarea", rows: "3", value: begun.text ?? "" }),
    h("details", { open: Boolean(begun.from || begun.config_id) }, h("summary", {}, "What the request may also say"),
      h("div", { class: "pair even" },
        field({ name: "from", label: "Sender", value: begun.from ?? "", autocomplete: "off", placeholder: "Not named" }),
        picker({ name: "config_id", label: "SMS configuration", value: begun.config_id ?? "", text: configs.get(begun.config_id) ?? "", find: findConfig(), placeholder: "Not named" }),
        field({ name: "category", label: "Kind", as: "select", value: begun.category ?? "", children: [option("", "Not named"), Object.entries(CATEGORIES).map(([value, label]) => option(value, label))] }),
        atField(begun.at))));
}

function inboundForm(begun) {
  const body = (data) => given({ sender: text(data, "sender"), did: text(data, "did"), channel: data.get("channel"), at: when(data) });
  const fields = h("div", { class: "pair even" },
    field({ name: "sender", label: "From", required: true, value: begun.sender ?? "", autocomplete: "off", inputmode: "tel", placeholder: "+13125550101" }),
    field({ name: "did", label: "To number (DID)", required: true, value: begun.did ?? "", autocomplete: "off", inputmode: "tel" }),
    field({ name: "channel", label: "Channel", as: "select", value: begun.channel ?? "SMS", children: [option("SMS", "SMS"), option("MMS", "MMS")] }),
    atField(begun.at));
  return asking("inbound", "Inbound text", begun, body, inboundAnswer, fields);
}

function verdictCard(title, tone, sentence, facts) {
  return h("div", { class: `card verdict ${tone}` }, h("h2", {}, title), sentence && h("p", {}, sentence), facts.length ? h("dl", {}, facts.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))) : null);
}

const because = (value, why) => [h("span", {}, value), why && h("span", { class: "minor" }, why)];

function outboundAnswer(answer) {
  const refused = answer.rejection;
  const [title, tone] = refused ? ["It would be refused", "bad"] : answer.held_until ? [`It would be held until ${dateTime(answer.held_until)}`, "warn"] : ["It would be sent", "good"];
  const facts = [
    ["Why", refused && because(CODES[refused.code] ?? refused.code, refused.code)],
    ["To", answer.to],
    ["Sender", answer.sender && because(answer.sender, answer.sender_reason)],
    ["SMS configuration", answer.config_id && h("a", { href: link(`sms/${encodeURIComponent(answer.config_id)}`) }, answer.config_name || answer.config_id)],
    ["Rule", because(ruleLink("outbound", answer.rule_id, answer.verdicts) ?? "None", answer.reason)],
    ["Lane", answer.lane && [h("code", {}, answer.lane), answer.bulk ? h("span", { class: "minor" }, "The bulk lane: conversations go first.") : null]],
    ["Type", answer.msg_type],
    ["Segments", answer.segments === null || answer.segments === undefined ? null : because(String(answer.segments), answer.encoding)],
  ];
  return [verdictCard(title, tone, refused?.reason, facts), routesTried(answer.routes), verdicts("outbound", answer.verdicts)];
}

function routesTried(routes) {
  if (!routes?.length) return null;
  const one = (route) => h("li", {}, h("strong", {}, route.config_name || route.config_id), h("span", { class: "minor" }, [`${route.sender ?? "no sender"} → ${route.to}`, route.reason].filter(Boolean).join(". ")));
  return h("section", { class: "card", "aria-labelledby": "routes-title" }, h("h2", { id: "routes-title" }, routes.length > 1 ? "Routes, in the order they would be tried" : "Route"), h("ol", { class: "tried" }, routes.map(one)));
}

async function inboundAnswer(answer) {
  const configs = await names("sms", [answer.config_id].filter(Boolean));
  const route = answer.route;
  const refused = answer.rejection;
  let [title, tone] = ["It would go nowhere", "bad"];
  if (answer.blocked) [title, tone] = ["It would be dropped: the sender is blocked", "bad"];
  else if (route?.kind === "discard") [title, tone] = ["It would be discarded", "warn"];
  else if (route) [title, tone] = [`It would go to ${lower(actionInWords(route))}`, "good"];
  const facts = [
    ["Why", refused && because(CODES[refused.code] ?? refused.code, refused.code)],
    ["DID", answer.did],
    ["Rule", route && because(ruleLink("inbound", route.rule_id, answer.verdicts) ?? "None", route.reason)],
    ["Time", answer.period && (PERIODS[answer.period] ?? answer.period)],
    ["SMS configuration", answer.config_id && h("a", { href: link(`sms/${encodeURIComponent(answer.config_id)}`) }, configs.get(answer.config_id))],
  ];
  return [verdictCard(title, tone, refused?.reason, facts), verdicts("inbound", answer.verdicts)];
}

const lower = (words) => (/^[A-Z]{2}/.test(words) ? words : words.charAt(0).toLowerCase() + words.slice(1));

function ruleLink(page, ruleId, all) {
  if (!ruleId) return null;
  const name = all?.find((verdict) => verdict.rule_id === ruleId)?.name;
  return h("a", { href: link(`${page}/${encodeURIComponent(ruleId)}`) }, name || ruleId);
}

// The winner first, then those that match, then the others.
function verdicts(page, all) {
  if (!all?.length) return null;
  const columns = [
    { title: "Rule", cell: (verdict) => ruleLink(page, verdict.rule_id, all) ?? verdict.name },
    { title: "Verdict", cell: (verdict) => (verdict.won ? badge("Decides", "good") : badge("Not used", "off")) },
    { title: "Why", cell: (verdict) => verdict.reason || "Its conditions match, and no other rule comes before it." },
  ];
  const sorted = [...all].sort((a, b) => Number(b.won) - Number(a.won));
  return h("div", { class: "stacked" }, h("h2", {}, "Rules that were asked"), table({ caption: "Rules that were asked", columns, items: sorted }));
}
