// Inbound rules: which extension, group or queue a text is for.

import { call, get } from "../api.js";
import { pickers } from "../combobox.js";
import { patch } from "../conflict.js";
import { confirm } from "../dialogs.js";
import { h } from "../dom.js";
import { findConfig, names } from "../lookups.js";
import { changes, choices, field, form, option, text, toggle } from "../forms.js";
import { editor, hoursInWords, readHours, tidy } from "../hours.js";
import { addButton, empty, enabledSwitch, head, nothingFound, paging, read, readAll, search, table } from "../lists.js";
import { closeness, compare, example, mapping } from "../masks.js";
import { back, go, goBack, hash, link } from "../router.js";
import { say } from "../toast.js";
import { ACTIONS, FIELDS } from "../words.js";
import { chooseTenant, needsTenant } from "./choose.js";
import { removeOf } from "./trunks.js";

const PATH = "inbound-rules";
const TITLE = "Inbound rules";
const LEAD = "Where a text goes that comes in. The closest caller mask wins, then the closest DID, then the lower priority number, then the older rule.";
const PAGE = 25;
const PERIODS = [["office", "In office hours", null], ["outside", "Outside office hours", "As in office hours"], ["holiday", "On holidays", "As outside office hours"]];
const NEW = { name: "", enabled: true, priority: 1000, channels: ["SMS", "MMS"], config_ids: [], did_numbers: "", caller_mask: "", office: { kind: "extension", destination: "" }, outside: null, holiday: null, own_hours: null };

export async function inbound({ query, system, tenantId }) {
  const everywhere = system && tenantId === null;
  const found = everywhere ? await read(PATH, query, { orderby: "tenant_id, priority, created_at" }) : await inOrder(query);
  const top = head(TITLE, LEAD, addButton("inbound/new", "Add"));
  if (found.count === 0 && !query.get("search")) return [top, await first()];
  const configs = await names("sms", found.items.flatMap((rule) => rule.config_ids));
  // Of rules that were searched for, the places among all are not known.
  const ordered = !everywhere && !query.get("search");
  const columns = [
    { title: "Name", cell: (rule) => h("a", { href: link(`inbound/${rule.id}`) }, rule.name) },
    ...(everywhere ? [{ title: "Tenant", cell: (rule) => rule.tenant_id }] : []),
    ...(ordered ? [{ title: "Order", cell: (rule) => String(rule.place), kind: "number" }] : []),
    { title: "DID", cell: (rule) => several(rule.did_numbers, "Any"), kind: "mask" },
    { title: "Caller", cell: (rule) => several(rule.caller_mask, "Anyone"), kind: "mask" },
    { title: "Destination", cell: destinations, kind: "wide" },
    { title: "For", cell: (rule) => scope(rule, configs) },
    { title: "Priority", cell: (rule) => String(rule.priority), kind: "number" },
    { title: "Enabled", cell: (rule) => enabledSwitch(`${PATH}/${rule.id}`, rule) },
  ];
  return [
    top,
    search({ path: "inbound", query, label: "Name or number" }),
    found.items.length ? table({ caption: TITLE, columns, items: found.items, open: (rule) => `inbound/${rule.id}` }) : nothingFound("inbound", { query, found }),
    paging({ path: "inbound", query, found }),
  ];
}

// One tenant's rules in the order in which they decide, which the database does not know.
async function inOrder(query) {
  const { items } = await readAll(PATH, { search: query.get("search"), orderby: "priority, created_at" });
  const order = new Map(items.map((rule, age) => [rule, [...closeness(rule.caller_mask), ...closeness(rule.did_numbers), rule.priority, age]]));
  const sorted = [...items].sort((a, b) => compare(order.get(a), order.get(b))).map((rule, place) => ({ ...rule, place: place + 1 }));
  const skip = Number(query.get("skip") ?? 0);
  return { count: sorted.length, items: sorted.slice(skip, skip + PAGE) };
}

async function first() {
  if ((await get("trunks", { top: 1 })).count === 0) {
    return empty({ shape: "trunk", title: "First, add a trunk", text: "Rules decide by the number that was written to, and numbers come with a trunk.", action: addButton("trunks/new", "Add a trunk") });
  }
  return empty({ shape: "inbound", title: "No inbound rule yet", text: "Without a rule, the PBX gets every text with the number (DID) it was sent to as its destination. Add a rule to send texts to an extension, a ring group or a queue.", action: addButton("inbound/new", "Add an inbound rule") });
}

function scope(rule, configs) {
  const said = [rule.channels.length === 1 && `${rule.channels[0]} only`, ...rule.config_ids.map((id) => configs.get(id))].filter(Boolean);
  return said.length ? said.map((one) => h("span", { class: "block" }, one)) : h("span", { class: "minor" }, "Any text");
}

function several(mask, none) {
  const parts = mask.split(";").map((part) => part.trim()).filter(Boolean);
  if (parts.length === 0) return h("span", { class: "minor" }, none);
  return [parts.slice(0, 3).map((part) => h("span", { class: "block" }, part)), parts.length > 3 ? h("span", { class: "minor" }, `and ${parts.length - 3} more`) : null];
}

export function actionInWords({ kind, destination }) {
  if (kind === "discard") return ACTIONS.discard;
  if (kind === "did") return `DID ${destination}`; // no rule decided
  return destination === "0" ? `${ACTIONS[kind] ?? kind}: the DID itself` : `${ACTIONS[kind] ?? kind} ${destination}`;
}

function destinations(rule) {
  const given = PERIODS.filter(([name]) => rule[name] !== null);
  if (given.length === 1) return [actionInWords(rule.office), h("span", { class: "minor" }, "At any time")];
  return h("dl", { class: "periods" }, given.map(([name]) => [h("dt", {}, { office: "Office", outside: "Outside", holiday: "Holiday" }[name]), h("dd", {}, actionInWords(rule[name]))]));
}

export async function inboundRule(context) {
  const item = context.id === "new" ? null : await get(`${PATH}/${encodeURIComponent(context.id)}`);
  const crumbs = h("nav", { class: "crumbs", "aria-label": "Back" }, h("a", { href: back("inbound") }, TITLE));
  const top = head(item?.name ?? "Add inbound rule", null);
  if (item === null && needsTenant(context)) return [crumbs, top, chooseTenant(context.session, "inbound/new", "Rules belong")];
  const loaded = item ?? { ...NEW, did_numbers: context.query.get("did") ?? "" };
  const configs = await names("sms", loaded.config_ids);
  return [
    crumbs,
    top,
    h("div", { class: "columns" }, h("div", {}, fields(item, loaded, item?.tenant_id, configs)), aside(item, context)),
  ];
}

function fields(item, loaded, tenantId, configs) {
  const save = async (data) => {
    const values = valuesOf(data);
    if (item === null) {
      await call("POST", PATH, { body: values });
      go("inbound");
      say(`${values.name} added`);
      return;
    }
    const saved = await patch(`${PATH}/${item.id}`, changes(values, { ...loaded, own_hours: tidy(loaded.own_hours) }), item.version, FIELDS);
    if (saved === null) go(`inbound/${item.id}`);
    else goBack("inbound");
    say(saved === null ? "Loaded again" : "Saved");
  };
  const remove = async () => {
    if (!(await confirm({ title: "Delete this rule?", text: `${item.name} is deleted. Texts it was for are decided by the other rules.`, action: "Delete" }))) return;
    await removeOf(`${PATH}/${item.id}`, "inbound", item.name);
  };
  const dids = field({ name: "did_numbers", label: "DID numbers", value: loaded.did_numbers, autocomplete: "off", spellcheck: "false", placeholder: "Any number of the pools", hint: "The numbers written to. Empty: any." });
  return form(
    { save, submit: item === null ? "Add rule" : "Save changes", secondary: [h("a", { class: "button", href: back("inbound") }, "Back"), item && h("button", { type: "button", class: "button danger quiet push", onclick: remove }, "Delete…")], label: "Inbound rule" },
    h("div", { class: "card" },
      h("div", { class: "pair" },
        field({ name: "name", label: "Name", required: true, value: loaded.name, autocomplete: "off" }),
        field({ name: "priority", label: "Priority", type: "number", min: "1", max: "100000", value: String(loaded.priority), hint: "The lower number wins." })),
      toggle({ name: "enabled", label: "Enable", checked: loaded.enabled })),
    h("section", { class: "card", "aria-labelledby": "when-title" }, h("h2", { id: "when-title" }, "When a text"),
      h("div", { class: "pair even" },
        dids,
        field({ name: "caller_mask", label: "Caller mask", value: loaded.caller_mask, autocomplete: "off", spellcheck: "false", placeholder: "Anyone", hint: "Who wrote. Empty: anyone." })),
      h("div", { class: "pair even" },
        choices({ name: "channels", label: "Channels", among: [["SMS", "SMS"], ["MMS", "MMS, with files"]], chosen: loaded.channels, abreast: true }),
        pickers({ name: "config_ids", label: "SMS configurations", items: loaded.config_ids.map((id) => ({ value: id, text: configs.get(id) })), find: findConfig(tenantId), placeholder: "Any", hint: "Through which it came in. Empty: any." }))),
    h("section", { class: "card", "aria-labelledby": "then-title" }, h("h2", { id: "then-title" }, "Then give it to"),
      PERIODS.map(([name, label, none]) => destination(name, label, none, loaded[name], dids.querySelector("input"))),
      h("p", { class: "hint" }, "0 keeps the DID. A range such as 100-109 takes the DIDs of a range of the same size one to one.")),
    h("section", { class: "card", "aria-labelledby": "hours-title" }, h("h2", { id: "hours-title" }, "Office hours"), ownHours(loaded.own_hours)));
}

function destination(name, label, none, given, dids) {
  const kind = h("select", { id: `field-${name}-kind`, name: `${name}.kind`, "aria-label": `${label}: kind of destination`, "aria-describedby": `field-${name}-error` }, none && option("", none), Object.entries(ACTIONS).map(([value, words]) => option(value, words)));
  kind.value = given?.kind ?? "";
  const input = h("input", { id: `field-${name}-destination`, name: `${name}.destination`, "aria-label": `${label}: destination`, "aria-describedby": `field-${name}-error field-${name}-means`, value: given?.destination ?? "", autocomplete: "off", spellcheck: "false", placeholder: "101, 100-109 or 0" });
  const means = h("p", { id: `field-${name}-means`, class: "hint", "aria-live": "polite" });
  const show = () => {
    input.hidden = kind.value === "" || kind.value === "discard";
    const found = input.hidden ? null : mapping(dids.value, input.value);
    means.textContent = found?.text ?? (kind.value === "discard" ? "The PBX does not get it. The message history shows it." : "");
    means.classList.toggle("warn", found !== null && !found.fits);
    means.hidden = means.textContent === "";
  };
  for (const [element, event] of [[kind, "change"], [input, "input"], [dids, "input"]]) element.addEventListener(event, show);
  show();
  return h("div", { class: "field destination", role: "group", "aria-label": label }, h("span", { class: "label", id: `field-${name}-label` }, label), h("div", { class: "joined" }, kind, input), means, h("p", { id: `field-${name}-error`, class: "error" }));
}

// The choice between the tenant's hours and hours of a rule's own.
export function ownHours(hours) {
  const chosen = hours === null ? "tenant" : "own";
  const place = h("div", { class: "own-hours" });
  const among = [["tenant", "The tenant's hours", "Those of Hours & blocking."], ["own", "Hours of its own", "Holidays are always the tenant's."]];
  const radios = choices({ name: "hours_of", label: "Which hours", type: "radio", among, chosen: [chosen] });
  const show = () => {
    const own = radios.querySelector("input:checked").value === "own";
    if (own && place.children.length === 0) place.append(editor({ name: "own_hours", hours }));
    place.hidden = !own;
  };
  radios.addEventListener("change", show);
  show();
  return [radios, place];
}

export const readOwnHours = (data) => (data.get("hours_of") === "own" ? readHours(data, "own_hours") : null);

const whole = (data, name) => {
  const given = text(data, name);
  return given === null ? null : Number(given);
};

function action(data, name) {
  const kind = data.get(`${name}.kind`);
  if (!kind) return null;
  return { kind, destination: kind === "discard" ? "0" : (text(data, `${name}.destination`) ?? "") };
}

const valuesOf = (data) => ({
  name: text(data, "name") ?? "",
  enabled: data.get("enabled") === "on",
  priority: whole(data, "priority"),
  channels: data.getAll("channels"),
  config_ids: data.getAll("config_ids"),
  did_numbers: text(data, "did_numbers") ?? "",
  caller_mask: text(data, "caller_mask") ?? "",
  office: action(data, "office"),
  outside: action(data, "outside"),
  holiday: action(data, "holiday"),
  own_hours: readOwnHours(data),
});

function aside(item, { system }) {
  return h("aside", { class: "card steps", "aria-labelledby": "masks-title" },
    h("h2", { id: "masks-title" }, "How numbers are written"),
    maskHelp([
      ["(202) 555-0140", "this number; +1, 00, blanks and hyphens are forgiven"],
      ["12025550140-12025550149", "a range, both ends with the same number of digits"],
      ["1202555****", "* stands for exactly one digit"],
      ["BANK", "a sender that is a name"],
      ["101; 103; 110-119", "several, separated by semicolons"],
    ]),
    h("p", { class: "hint" }, "If DID and caller are both given, both must match."),
    item && item.own_hours !== null ? h("p", { class: "hint" }, "Own hours: ", hoursInWords(item.own_hours).join("; ")) : null,
    item && h("a", { class: "button", href: hash("explain", { way: "inbound", did: example(item.did_numbers), sender: example(item.caller_mask) }, system ? item.tenant_id : undefined) }, "Try it in Explain"));
}

export const maskHelp = (rows) => h("dl", { class: "examples" }, rows.map(([mask, meaning]) => h("div", {}, h("dt", {}, h("code", {}, mask)), h("dd", {}, meaning))));
