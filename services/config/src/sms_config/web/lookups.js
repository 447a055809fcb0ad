// Looks up tenants, trunks, SMS configurations and time zones for comboboxes, and the names of ids.

import { get } from "./api.js";

const TOP = 20;
// A filter may have 1024 characters and an id 64.
const IDS_AT_ONCE = 12;

const of = (path, asChoice, inside) => async (search) => {
  const found = await get(path, { search, top: TOP, orderby: "name" }, { inside });
  return { items: found.items.map(asChoice), more: found.count - found.items.length };
};

// All tenants, whichever one is chosen.
export const findTenant = of("tenants", ({ id, name }) => ({ value: id, text: name, hint: id }), null);

// Without `tenantId`: in the chosen tenant.
export const findConfig = (tenantId) => of("sms", ({ id, name, provider_name: trunk }) => ({ value: id, text: name, hint: trunk }), tenantId);

export const findTrunk = (tenantId) => of("trunks", ({ id, name, brand }) => ({ value: id, text: name, hint: brand }), tenantId);

export async function findZone(search) {
  const wanted = search.toLowerCase().replaceAll(" ", "_");
  const all = ["UTC", ...Intl.supportedValuesOf("timeZone")].filter((zone) => zone.toLowerCase().includes(wanted));
  return { items: all.slice(0, 50).map((zone) => ({ value: zone, text: zone })), more: Math.max(0, all.length - 50) };
}

// The names of objects by their ids; for a deleted object, its id.
export async function names(path, ids, options) {
  const wanted = [...new Set(ids)];
  const known = new Map(wanted.map((id) => [id, id]));
  const asked = [];
  for (let place = 0; place < wanted.length; place += IDS_AT_ONCE) {
    asked.push(get(path, { filter: `id in (${wanted.slice(place, place + IDS_AT_ONCE).map((id) => `'${id}'`).join(", ")})` }, options));
  }
  for (const { items } of await Promise.all(asked)) for (const { id, name } of items) known.set(id, name);
  return known;
}

const tenantNames = new Map();

export async function tenantName(id) {
  if (!tenantNames.has(id)) tenantNames.set(id, (await get(`tenants/${encodeURIComponent(id)}`)).name);
  return tenantNames.get(id);
}
