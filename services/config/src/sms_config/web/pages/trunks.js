// Trunks with their pools of numbers.

import { call, get } from "../api.js";
import { carriers } from "../carriers.js";
import { picker } from "../combobox.js";
import { patch } from "../conflict.js";
import { confirm, inform } from "../dialogs.js";
import { badge, h } from "../dom.js";
import { counted, counting } from "../entries.js";
import { findTenant, names } from "../lookups.js";
import { changes, choices, field, form, option, text } from "../forms.js";
import { addButton, empty, head, nothingFound, paging, readCounted, search, table } from "../lists.js";
import { sentenceOf } from "../problems.js";
import { back, go, goBack, inTenant, link } from "../router.js";
import { listed, rows } from "../rows.js";
import { say } from "../toast.js";
import { FIELDS } from "../words.js";

const POOLS = 1000;

export async function trunks({ query, system, tenantId, session }) {
  const all = system && tenantId === null;
  const found = await readCounted("trunks", query, { orderby: "name", key: (item) => item.name });
  const top = head("Trunks & DIDs", "A trunk is a connection to the carrier, with the pool of numbers (DIDs) that came with it.", addButton("trunks/new", "Add"));
  if (found.count === 0 && !query.get("search")) {
    const first = system && session.tenant_count === 0;
    return [top, first
      ? empty({ shape: "tenant", title: "First, add a tenant", text: "Every trunk belongs to a tenant.", action: addButton("tenants/new", "Add a tenant") })
      : empty({ shape: "trunk", title: "No trunk yet", text: "Add the trunk from your carrier and the numbers it came with. Numbers may be typed as you have them.", action: addButton("trunks/new", "Add a trunk") })];
  }
  const columns = [
    { title: "Name", cell: (item) => [h("a", { href: link(`trunks/${item.id}`) }, item.name), !all && item.pools ? h("span", { class: "minor" }, "Lent by the system") : null] },
    { title: "Brand", cell: (item) => item.brand },
    ...(all ? [{ title: "Tenant", cell: (item) => item.tenant_id ?? badge("Lent", "busy") }] : []),
    { title: "Numbers", cell: (item) => (all && item.pools ? lendings(item.pools) : pool(item.dids)), kind: "number" },
    { title: "Default number", cell: (item) => item.default_did ?? h("span", { class: "minor" }, all && item.pools ? "Each tenant's own" : "None"), kind: "number" },
    { title: "Host name", cell: (item) => item.hostname ?? h("span", { class: "minor" }, "None") },
  ];
  return [
    top,
    search({ path: "trunks", query, label: "Name, brand or number" }),
    found.items.length ? table({ caption: "Trunks", columns, items: found.items, open: (item) => `trunks/${item.id}` }) : nothingFound("trunks", { query, found }),
    paging({ path: "trunks", query, found }),
  ];
}

const lendings = (lent) => [lent.slice(0, 2).map((one) => h("span", { class: "block" }, `${one.tenant_id}: `, one.dids.split(";")[0] || "none", one.dids.includes(";") ? " …" : "")), lent.length > 2 ? h("span", { class: "minor" }, `and ${lent.length - 2} more`) : null];

function pool(dids) {
  const spans = dids.split(";").map((span) => span.trim()).filter(Boolean);
  if (spans.length === 0) return h("span", { class: "minor" }, "None");
  return [spans.slice(0, 2).map((span) => h("span", { class: "block" }, span)), spans.length > 2 ? h("span", { class: "minor" }, `and ${spans.length - 2} more`) : null];
}

export async function trunk(context) {
  const item = context.id === "new" ? null : await get(`trunks/${encodeURIComponent(context.id)}`);
  const crumbs = h("nav", { class: "crumbs", "aria-label": "Back" }, h("a", { href: back("trunks") }, "Trunks & DIDs"));
  const lent = item !== null && item.pools !== null;
  const top = head(item?.name ?? "Add trunk", null, ...(lent ? [badge("Lent", "busy")] : []));
  if (lent && !everywhere(context)) return [crumbs, top, borrowed(item, context)];
  const tenantNames = lent ? await names("tenants", item.pools.map((pool) => pool.tenant_id)) : new Map();
  return [crumbs, top, fields(item, context, tenantNames, await carriers())];
}

const everywhere = ({ system, tenantId }) => system && tenantId === null;

// A trunk of the system, as a tenant sees it.
function borrowed(item, { system }) {
  const rows = [["Brand", item.brand], ["Host name", item.hostname], ["This tenant's numbers", item.dids || "None"], ["Default number", item.default_did ?? "None"]];
  return h("div", { class: "card narrow" },
    h("p", { class: "note" }, "This trunk belongs to the system and is lent to this tenant. The tenant can use these numbers; only a system administrator can change them."),
    h("dl", {}, rows.filter(([, value]) => value !== null).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
    system ? h("div", { class: "actions" }, h("a", { class: "button", href: inTenant(null, `trunks/${item.id}`) }, "Edit in all tenants")) : null);
}

function fields(item, context, tenantNames, known) {
  const loaded = item ?? { pools: null };
  const chooses = item === null && everywhere(context);
  const save = async (data) => {
    const lent = item === null ? data.get("whose") === "lent" : item.pools !== null;
    const values = { name: text(data, "name") ?? "", brand: text(data, "brand") ?? "", hostname: text(data, "hostname"), ...(lent ? { pools: listed(data, "pools").map(({ tenant_id: tenant, dids, default_did: usual }) => ({ tenant_id: tenant ?? undefined, dids: dids ?? "", default_did: usual })), account: text(data, "account") } : { dids: text(data, "dids") ?? "", default_did: text(data, "default_did") }) };
    if (item === null) {
      const made = await call("POST", "trunks", { body: { ...values, ...(chooses && !lent ? { tenant_id: text(data, "tenant_id") } : {}) } });
      go("trunks");
      say(`${made.name} added, ${held(made)}`);
      return;
    }
    const saved = await patch(`trunks/${item.id}`, changes(values, loaded), item.version, FIELDS);
    if (saved === null) go(`trunks/${item.id}`);
    else goBack("trunks");
    say(saved === null ? "Loaded again" : `Saved, ${held(saved)}`);
  };
  const remove = async () => {
    if (!(await confirm({ title: "Delete this trunk?", text: `${item.name} and its numbers are deleted. Texts to these numbers are then kept as unrouted.`, action: "Delete" }))) return;
    await removeOf(`trunks/${item.id}`, "trunks", item.name);
  };
  return form(
    { save, submit: item === null ? "Add trunk" : "Save changes", secondary: [h("a", { class: "button", href: back("trunks") }, "Back"), item && h("button", { type: "button", class: "button danger quiet push", onclick: remove }, "Delete…")], label: "Trunk" },
    h("div", { class: "card narrow" },
      field({ name: "name", label: "Name", required: true, value: loaded.name ?? "", autocomplete: "off" }),
      brand(item, known),
      field({ name: "hostname", label: "Host name", value: loaded.hostname ?? "", autocomplete: "off", hint: "The host name of the SIP trunk, for your own reference." })),
    chooses ? whose(context.session, loaded) : h("div", { class: "card narrow" }, item?.pools ? pools(item.pools, tenantNames, item.account) : numbers(loaded)));
}

// Chooses the carrier by its brand. An existing trunk keeps its carrier, and a brand that is written differently.
function brand(item, known) {
  const brands = known.filter((one) => item === null || one.name === item.carrier).map((one) => one.brand);
  const all = [...new Set(item === null ? brands : [item.brand, ...brands])];
  return field({ name: "brand", label: "Brand", as: "select", required: true, value: all[0], children: all.map((one) => option(one, one)), hint: item === null ? "The carrier. It cannot be changed later." : null });
}

const numbers = (loaded) => [
  counting(field({ name: "dids", label: "Numbers (DID pool)", as: "textarea", rows: "4", value: loaded.dids ?? "", placeholder: "+12025550140-+12025550149; 202 555 0160", hint: "Numbers and ranges, one on each line or separated by semicolons: a column of a sheet can be pasted. +, 00, spaces and national forms are understood. No number may be in two pools." })),
  field({ name: "default_did", label: "Default number", value: loaded.default_did ?? "", autocomplete: "off", hint: "The sender of a text when nothing else sets one. It must be one of the numbers above." }),
];

// Says how many numbers the API has read.
const held = ({ dids, pools }) => `with ${counted((pools ?? [{ dids }]).map((one) => one.dids).join(";"))}`;

// A new trunk is one tenant's own, or the system's and lent to tenants.
function whose(session, loaded) {
  const among = [["own", "One tenant's own", null], ["lent", "The system's, lent to tenants", "Each tenant gets its own numbers from it and cannot change the trunk."]];
  const radios = choices({ name: "whose", label: "Whose trunk it is", type: "radio", among, chosen: ["own"] });
  const parts = { own: [tenantField(session), ...numbers(loaded)], lent: [pools([], new Map(), null)] };
  const place = h("div", { class: "stacked" });
  const show = () => place.replaceChildren(...parts[radios.querySelector("input:checked").value]);
  radios.addEventListener("change", show);
  show();
  return h("div", { class: "card narrow" }, radios, place);
}

function pools(given, tenantNames, account) {
  const make = (prefix, pool) => [
    picker({ name: `${prefix}.tenant_id`, label: "Tenant", required: true, value: pool.tenant_id ?? "", text: tenantNames.get(pool.tenant_id) ?? "", find: findTenant, placeholder: "Name or id" }),
    counting(field({ name: `${prefix}.dids`, label: "Numbers", as: "textarea", rows: "2", value: pool.dids ?? "", placeholder: "+12025550140-+12025550149; 202 555 0160" })),
    field({ name: `${prefix}.default_did`, label: "Default number", value: pool.default_did ?? "", autocomplete: "off", inputmode: "tel" }),
  ];
  return h("section", { class: "stacked", "aria-labelledby": "pools-title" },
    field({ name: "account", label: FIELDS.account, value: account ?? "", autocomplete: "off", spellcheck: "false", hint: "A configuration's webhook accepts texts to all these tenants once the carrier has accepted its credentials for this account." }),
    h("div", {}, h("h2", { id: "pools-title" }, "Numbers lent to tenants"), h("p", { class: "hint" }, "No number may be in two pools. A tenant sees its own numbers only.")),
    rows({ name: "pools", noun: "tenant", items: given, most: POOLS, make, none: "Lent to nobody yet." }));
}

// Chooses the tenant, for a system administrator who works in all tenants.
export function tenantField(session, { required = true, value, text: words, placeholder = "Name or id" } = {}) {
  const only = required && value === undefined && session.tenants.length === 1 ? session.tenants[0] : { id: value ?? "", name: words ?? "" };
  return picker({ name: "tenant_id", label: "Tenant", required, value: only.id, text: only.name, find: findTenant, placeholder });
}

// Deletes and goes back to the list, or says why it cannot be deleted.
export async function removeOf(path, list, name) {
  try {
    await call("DELETE", path);
  } catch (error) {
    if (error.status !== 409) throw error;
    await inform({ title: "It cannot be deleted now", text: sentenceOf(error) });
    return;
  }
  goBack(list);
  say(`${name} deleted`);
}
