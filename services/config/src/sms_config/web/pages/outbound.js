// Outbound rules: through which SMS configurations a text leaves, in which order they are tried, and as whom.

import { call, get } from "../api.js";
import { picker } from "../combobox.js";
import { patch } from "../conflict.js";
import { confirm } from "../dialogs.js";
import { badge, h } from "../dom.js";
import { findConfig, names } from "../lookups.js";
import { changes, choices, field, form, option, text, toggle, words } from "../forms.js";
import { hoursInWords, tidy } from "../hours.js";
import { addButton, empty, enabledSwitch, head, nothingFound, paging, read, search, table } from "../lists.js";
import { back, go, goBack, hash, link } from "../router.js";
import { listed, rows } from "../rows.js";
import { say } from "../toast.js";
import { CATEGORIES, FIELDS } from "../words.js";
import { chooseTenant, needsTenant } from "./choose.js";
import { maskHelp, ownHours, readOwnHours } from "./inbound.js";
import { removeOf } from "./trunks.js";

const PATH = "outbound-rules";
const TITLE = "Outbound rules";
const LEAD = "By which way a text leaves. Of the rules whose conditions all match, the lowest priority number wins, then the one with more conditions, then the older.";
const ROUTES = 6;
const ROUTE = { config_id: "", enabled: true, strip_digits: 0, prepend: "", caller_id: null, weight: 1 };
const NEW = { name: "", enabled: true, priority: 1000, prefixes: "", lengths: [], extensions: "", groups: [], categories: [], own_hours: null, closed: null, strategy: "PRIORITIZED", routes: [ROUTE] };
const CLOSED = [["", "Send anyway", "Hours do not count."], ["block", "Refuse", "The PBX is told that the rule is closed."], ["hold", "Keep until it opens", "The text is sent when office hours begin."]];
const STRATEGIES = [["PRIORITIZED", "In their order", "The second is tried only if the first refused before it took the text."], ["RANDOMLY", "Drawn by weight", "A route of weight 2 comes first twice as often as one of weight 1."]];

export async function outbound({ query, system, tenantId }) {
  const everywhere = system && tenantId === null;
  const found = await read(PATH, query, { orderby: everywhere ? "tenant_id, priority, created_at" : "priority, created_at" });
  const top = head(TITLE, LEAD, addButton("outbound/new", "Add"));
  if (found.count === 0 && !query.get("search")) return [top, await first()];
  const configs = await names("sms", found.items.flatMap((rule) => rule.routes.map((route) => route.config_id)));
  const columns = [
    { title: "Name", cell: (rule) => h("a", { href: link(`outbound/${rule.id}`) }, rule.name) },
    ...(everywhere ? [{ title: "Tenant", cell: (rule) => rule.tenant_id }] : []),
    { title: "Priority", cell: (rule) => String(rule.priority), kind: "number" },
    { title: "Conditions", cell: conditions },
    { title: "Routes", cell: (rule) => routes(rule, configs) },
    { title: "When closed", cell: (rule) => (rule.closed === null ? h("span", { class: "minor" }, "Sends anyway") : badge(rule.closed === "block" ? "Refuses" : "Holds", rule.closed === "block" ? "bad" : "warn")) },
    { title: "Enabled", cell: (rule) => enabledSwitch(`${PATH}/${rule.id}`, rule) },
  ];
  return [
    top,
    search({ path: "outbound", query, label: "Name, prefix or extension" }),
    found.items.length ? table({ caption: TITLE, columns, items: found.items, open: (rule) => `outbound/${rule.id}` }) : nothingFound("outbound", { query, found }),
    paging({ path: "outbound", query, found }),
  ];
}

async function first() {
  if ((await get("sms", { top: 1 })).count === 0) {
    return empty({ shape: "config", title: "First, add an SMS configuration", text: "A rule sends texts through SMS configurations, and there is none yet.", action: addButton("sms/new", "Add an SMS configuration") });
  }
  return empty({ shape: "outbound", title: "No outbound rule yet", text: "Without a rule, a text leaves through the configuration the request names, or the tenant's default. Add a rule to choose by prefix, extension or kind of text, and to have a second way when the first refuses.", action: addButton("outbound/new", "Add an outbound rule") });
}

function conditions(rule) {
  const said = [
    ["Prefix", rule.prefixes],
    ["Digits", rule.lengths.join(", ")],
    ["Extensions", rule.extensions],
    ["Groups", rule.groups.join(", ")],
    ["Kind", rule.categories.map((category) => CATEGORIES[category]).join(", ")],
  ];
  return h("ul", { class: "plain" }, said.filter(([, value]) => value).map(([name, value]) => h("li", {}, h("span", { class: "minor inline" }, `${name} `), value)));
}

function routes(rule, configs) {
  const drawn = rule.strategy === "RANDOMLY";
  const one = (route) => h("li", {}, configs.get(route.config_id), drawn ? h("span", { class: "minor inline" }, ` weight ${route.weight}`) : null, route.enabled ? null : h("span", { class: "minor inline" }, " off"));
  return h(drawn ? "ul" : "ol", { class: "routes" }, rule.routes.map(one));
}

export async function outboundRule(context) {
  const item = context.id === "new" ? null : await get(`${PATH}/${encodeURIComponent(context.id)}`);
  const crumbs = h("nav", { class: "crumbs", "aria-label": "Back" }, h("a", { href: back("outbound") }, TITLE));
  const top = head(item?.name ?? "Add outbound rule", null);
  if (item === null && needsTenant(context)) return [crumbs, top, chooseTenant(context.session, "outbound/new", "Rules belong")];
  const loaded = item ?? NEW;
  const configs = await names("sms", loaded.routes.map((route) => route.config_id).filter(Boolean));
  return [crumbs, top, h("div", { class: "columns" }, h("div", {}, fields(item, loaded, configs)), aside(item, context))];
}

function fields(item, loaded, configs) {
  const save = async (data, element) => {
    const values = valuesOf(data, element);
    if (item === null) {
      await call("POST", PATH, { body: values });
      go("outbound");
      say(`${values.name} added`);
      return;
    }
    const saved = await patch(`${PATH}/${item.id}`, changes(values, { ...loaded, own_hours: tidy(loaded.own_hours) }), item.version, FIELDS);
    if (saved === null) go(`outbound/${item.id}`);
    else goBack("outbound");
    say(saved === null ? "Loaded again" : "Saved");
  };
  const remove = async () => {
    if (!(await confirm({ title: "Delete this rule?", text: `${item.name} is deleted. Texts it was for are decided by the other rules.`, action: "Delete" }))) return;
    await removeOf(`${PATH}/${item.id}`, "outbound", item.name);
  };
  return form(
    { save, submit: item === null ? "Add rule" : "Save changes", secondary: [h("a", { class: "button", href: back("outbound") }, "Back"), item && h("button", { type: "button", class: "button danger quiet push", onclick: remove }, "Delete…")], label: "Outbound rule" },
    h("div", { class: "card" },
      h("div", { class: "pair" },
        field({ name: "name", label: "Name", required: true, value: loaded.name, autocomplete: "off" }),
        field({ name: "priority", label: "Priority", type: "number", min: "1", max: "100000", value: String(loaded.priority), hint: "The lower number wins." })),
      toggle({ name: "enabled", label: "Enable", checked: loaded.enabled })),
    h("section", { class: "card", "aria-labelledby": "when-title" }, h("div", {}, h("h2", { id: "when-title" }, "When a text"), h("p", { class: "hint" }, "At least one condition. All that are given must match.")),
      h("div", { class: "pair even" },
        field({ name: "prefixes", label: "Goes to numbers that begin with", value: loaded.prefixes, autocomplete: "off", spellcheck: "false", placeholder: "1; 44", hint: "Country code first. A lone + is every number." }),
        field({ name: "lengths", label: "Goes to numbers with so many digits", value: loaded.lengths.join("; "), autocomplete: "off", inputmode: "numeric", placeholder: "11; 12" })),
      h("div", { class: "pair even" },
        field({ name: "extensions", label: "Comes from extensions", value: loaded.extensions, autocomplete: "off", spellcheck: "false", placeholder: "101-110; 199" }),
        field({ name: "groups", label: "Comes from groups", value: loaded.groups.join("; "), autocomplete: "off", placeholder: "sales; support", hint: "The groups of Extensions." })),
      choices({ name: "categories", label: "Is of the kind", among: Object.entries(CATEGORIES), chosen: loaded.categories, abreast: true, hint: "None ticked: any kind." })),
    h("section", { class: "card", "aria-labelledby": "then-title" }, h("h2", { id: "then-title" }, "Then send it through"),
      choices({ name: "strategy", label: "Which route first", type: "radio", among: STRATEGIES, chosen: [loaded.strategy] }),
      rows({ name: "routes", noun: "route", items: loaded.routes, most: ROUTES, least: 1, ordered: true, make: (prefix, route) => routeFields(prefix, { ...ROUTE, ...route }, configs, item?.tenant_id) })),
    h("section", { class: "card", "aria-labelledby": "hours-title" }, h("h2", { id: "hours-title" }, "Outside office hours and on holidays"),
      closing(loaded)));
}

// Hours matter to a rule that closes only.
function closing(loaded) {
  const closed = choices({ name: "closed", label: "What to do then", type: "radio", among: CLOSED, chosen: [loaded.closed ?? ""] });
  const hours = h("div", { class: "stacked" }, ownHours(loaded.own_hours));
  const show = () => { hours.hidden = closed.querySelector("input:checked").value === ""; };
  closed.addEventListener("change", show);
  show();
  return [closed, hours];
}

function routeFields(prefix, route, configs, tenantId) {
  return [
    picker({ name: `${prefix}.config_id`, label: "SMS configuration", required: true, value: route.config_id, text: configs.get(route.config_id) ?? "", find: findConfig(tenantId), placeholder: "Choose one" }),
    h("div", { class: "fields four" },
      field({ name: `${prefix}.strip_digits`, label: "Strip digits", as: "select", value: String(route.strip_digits), children: Array.from({ length: 10 }, (_, digits) => option(String(digits), String(digits))) }),
      field({ name: `${prefix}.prepend`, label: "Prepend", value: route.prepend, autocomplete: "off", maxlength: "16", inputmode: "tel" }),
      field({ name: `${prefix}.caller_id`, label: "Caller ID", value: route.caller_id ?? "", autocomplete: "off", inputmode: "tel", placeholder: "The usual one" }),
      field({ name: `${prefix}.weight`, label: "Weight", type: "number", min: "1", max: "1000", value: String(route.weight) })),
    toggle({ name: `${prefix}.enabled`, label: "Use this route", checked: route.enabled }),
  ];
}

const numeric = (value) => (value !== null && /^-?[0-9]+$/.test(value) ? Number(value) : value);

function valuesOf(data) {
  return {
    name: text(data, "name") ?? "",
    enabled: data.get("enabled") === "on",
    priority: numeric(text(data, "priority")),
    prefixes: text(data, "prefixes") ?? "",
    lengths: words(data, "lengths").map(numeric),
    extensions: text(data, "extensions") ?? "",
    groups: words(data, "groups"),
    categories: data.getAll("categories"),
    own_hours: readOwnHours(data),
    closed: data.get("closed") || null,
    strategy: data.get("strategy"),
    routes: listed(data, "routes").map((route) => ({ config_id: route.config_id ?? undefined, enabled: route.enabled === "on", strip_digits: numeric(route.strip_digits), prepend: route.prepend ?? "", caller_id: route.caller_id, weight: numeric(route.weight) })),
  };
}

function aside(item, { system }) {
  return h("aside", { class: "card steps", "aria-labelledby": "masks-title" },
    h("h2", { id: "masks-title" }, "How it is decided"),
    h("ol", {},
      h("li", {}, "The winning rule's routes are tried in turn. The next one only if the carrier refused before it took the text, and neither recipient nor text was the reason."),
      h("li", {}, "A text that names its configuration or its sender takes only the routes that fit, or else goes through what it names. A closed rule holds for it too."),
      h("li", {}, "Each route sends as its own caller ID: a number of one carrier can usually not be used at another.")),
    maskHelp([
      ["1; 44", "prefixes of numbers with their country code"],
      ["101-110; 199", "extensions, and ranges of them"],
      ["strip 1, prepend 99", "+1312555 is sent as +99312555"],
    ]),
    item && item.own_hours !== null ? h("p", { class: "hint" }, "Own hours: ", hoursInWords(item.own_hours).join("; ")) : null,
    item && h("a", { class: "button", href: hash("explain", { way: "outbound", extension: item.extensions.split(/[;-]/)[0].trim() }, system ? item.tenant_id : undefined) }, "Try it in Explain"));
}
