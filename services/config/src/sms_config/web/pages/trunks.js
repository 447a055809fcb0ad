// Trunks with their pools of numbers.

import { call, get } from "../api.js";
import { patch } from "../conflict.js";
import { confirm, h, say } from "../dom.js";
import { changes, field, form, option, text } from "../forms.js";
import { addButton, empty, head, nothingFound, paging, read, search, table } from "../lists.js";
import { go, link } from "../router.js";
import { FIELDS } from "../words.js";

export async function trunks({ query, system, tenantId, session }) {
  const found = await read("trunks", query, { orderby: "name" });
  const top = head("Trunks & DIDs", "A trunk is a connection to the carrier, with the pool of numbers (DIDs) that came with it.", addButton("trunks/new", "Add"));
  if (found.count === 0 && !query.get("search")) {
    const first = system && session.tenant_count === 0;
    return [top, first
      ? empty({ shape: "tenant", title: "First, add a tenant", text: "Every trunk belongs to a tenant.", action: addButton("tenants/new", "Add a tenant") })
      : empty({ shape: "trunk", title: "No trunk yet", text: "Add the trunk from Bandwidth and the numbers it came with. Numbers may be typed as you have them.", action: addButton("trunks/new", "Add a trunk") })];
  }
  const columns = [
    { title: "Name", cell: (item) => h("a", { href: link(`trunks/${item.id}`) }, item.name) },
    { title: "Brand", cell: (item) => item.brand },
    ...(system && tenantId === null ? [{ title: "Tenant", cell: (item) => item.tenant_id }] : []),
    { title: "Numbers", cell: (item) => pool(item.dids), kind: "number" },
    { title: "Default number", cell: (item) => item.default_did ?? h("span", { class: "minor" }, "None"), kind: "number" },
    { title: "Host name", cell: (item) => item.hostname ?? h("span", { class: "minor" }, "None") },
  ];
  return [
    top,
    search({ path: "trunks", query, label: "Name, brand or number" }),
    found.items.length ? table({ caption: "Trunks", columns, items: found.items, open: (item) => `trunks/${item.id}` }) : nothingFound("trunks"),
    paging({ path: "trunks", query, count: found.count, shown: found.items.length }),
  ];
}

function pool(dids) {
  const spans = dids.split(";").map((span) => span.trim()).filter(Boolean);
  if (spans.length === 0) return h("span", { class: "minor" }, "None");
  return [spans.slice(0, 2).map((span) => h("span", { class: "block" }, span)), spans.length > 2 ? h("span", { class: "minor" }, `and ${spans.length - 2} more`) : null];
}

export async function trunk({ id, system, tenantId, session }) {
  const item = id === "new" ? null : await get(`trunks/${encodeURIComponent(id)}`);
  const loaded = item ?? {};
  const chooses = item === null && system && tenantId === null;
  const save = async (data) => {
    const values = { name: text(data, "name") ?? "", brand: text(data, "brand") ?? "", hostname: text(data, "hostname"), dids: (data.get("dids") ?? "").trim(), default_did: text(data, "default_did") };
    if (item === null) {
      await call("POST", "trunks", { body: { ...values, ...(chooses ? { tenant_id: text(data, "tenant_id") } : {}) } });
      go("trunks");
      say(`${values.name} added`);
      return;
    }
    const saved = await patch(`trunks/${item.id}`, changes(values, loaded), item.version, FIELDS);
    if (saved === null) go(`trunks/${item.id}`);
    else go("trunks");
    say(saved === null ? "Loaded again" : "Saved");
  };
  const remove = async () => {
    if (!(await confirm({ title: "Delete this trunk?", text: `${item.name} and its numbers are deleted. Texts to them are then not routed.`, action: "Delete" }))) return;
    await removeOf(`trunks/${item.id}`, "trunks", item.name);
  };
  return [
    h("nav", { class: "crumbs", "aria-label": "Back" }, h("a", { href: link("trunks") }, "Trunks & DIDs")),
    head(item?.name ?? "Add trunk", null),
    form(
      { save, submit: item === null ? "Add trunk" : "Save changes", secondary: [h("a", { class: "button", href: link("trunks") }, "Back"), item && h("button", { type: "button", class: "button danger quiet push", onclick: remove }, "Delete…")], label: "Trunk" },
      h("div", { class: "card narrow" },
        chooses ? field({ name: "tenant_id", label: "Tenant", as: "select", required: true, value: session.tenants.length === 1 ? session.tenants[0].id : "", children: [option("", "Choose a tenant"), session.tenants.map((tenant) => option(tenant.id, tenant.name))] }) : null,
        field({ name: "name", label: "Name", required: true, value: loaded.name ?? "", maxlength: "64", autocomplete: "off" }),
        field({ name: "brand", label: "Brand", required: true, value: loaded.brand ?? "Bandwidth", autocomplete: "off", hint: "The carrier's name. Bandwidth is the carrier this version speaks to." }),
        field({ name: "hostname", label: "Host name", value: loaded.hostname ?? "", autocomplete: "off", hint: "Of the SIP trunk, for your own overview." }),
        field({ name: "dids", label: "Numbers (DID pool)", as: "textarea", rows: "4", value: loaded.dids ?? "", placeholder: "+12025550140-+12025550149; 202 555 0160", hint: "Numbers and ranges, separated by semicolons. +, 00, spaces and national forms are understood. No number may be in two pools." }),
        field({ name: "default_did", label: "Default number", value: loaded.default_did ?? "", autocomplete: "off", hint: "The sender when nothing else names one; one of the numbers above." }),
      ),
    ),
  ];
}

// Delete, or say why that cannot be.
export async function removeOf(path, back, name) {
  try {
    await call("DELETE", path);
  } catch (error) {
    if (error.status !== 409) throw error;
    await confirm({ title: "It cannot be deleted now", text: error.message, action: "Understood", dangerous: false });
    return;
  }
  go(back);
  say(`${name} deleted`);
}
