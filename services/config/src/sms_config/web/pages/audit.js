// The audit log: who changed what, when, and from what to what.

import { get } from "../api.js";
import { carriers } from "../carriers.js";
import { h, time } from "../dom.js";
import { field, option } from "../forms.js";
import { empty, head, nothingFound, paging, table } from "../lists.js";
import { hash } from "../router.js";
import { FIELDS, KINDS, inWords } from "../words.js";

const ACTIONS = { created: "Created", updated: "Changed", deleted: "Deleted", rotated: "New webhook", replayed: "Replayed", discarded: "Discarded", revealed: "Shown whole" };

export async function audit({ query, system, tenantId }) {
  await carriers(); // credentials are called as their carrier calls them
  const found = await get("audit", { top: 25, skip: query.get("skip"), search: query.get("search"), kind: query.get("kind"), action: query.get("action") });
  const top = head("Audit log", "Every change, and who made it. Secrets are never in it.");
  const filtered = ["search", "kind", "action"].some((name) => query.get(name));
  if (found.count === 0 && !filtered) {
    return [top, empty({ shape: "audit", title: "No change yet", text: "Whatever is added, changed or deleted appears here." })];
  }
  const columns = [
    { title: "Time", cell: (item) => time(item.at) },
    { title: "Who", cell: (item) => [item.actor_name, item.address ? h("span", { class: "minor" }, item.address) : null] },
    { title: "Action", cell: (item) => ACTIONS[item.action] ?? item.action },
    { title: "What", cell: (item) => [called(item.after) ?? called(item.before) ?? item.object_id, h("span", { class: "minor" }, KINDS[item.kind] ?? item.kind)] },
    ...(system && tenantId === null ? [{ title: "Tenant", cell: (item) => item.tenant_id ?? h("span", { class: "minor" }, "All") }] : []),
    { title: "Changes", cell: differences },
  ];
  return [
    top,
    filters(query),
    found.items.length ? table({ caption: "Changes", columns, items: found.items }) : nothingFound("audit", { query, found }),
    paging({ path: "audit", query, found }),
  ];
}

function filters(query) {
  const onsubmit = (event) => {
    event.preventDefault();
    location.hash = hash("audit", Object.fromEntries(new FormData(event.target)));
  };
  const given = (name) => query.get(name) ?? "";
  return h("form", { class: "filters card", role: "search", "aria-label": "Filter changes", onsubmit },
    h("div", { class: "fields first" },
      field({ name: "search", label: "Who, or an object's ID", type: "search", value: given("search") }),
      field({ name: "kind", label: "What", as: "select", value: given("kind"), children: [option("", "Everything"), Object.entries(KINDS).map(([value, words]) => option(value, words))] }),
      field({ name: "action", label: "Action", as: "select", value: given("action"), children: [option("", "Any"), Object.entries(ACTIONS).map(([value, words]) => option(value, words))] }),
      h("div", { class: "actions" }, h("button", { class: "button" }, "Filter"))));
}

const called = (object) => object?.name ?? object?.extension;

function differences(item) {
  if (item.action !== "updated") return h("span", { class: "minor" }, item.action === "rotated" ? "The old address ends after a while" : "");
  const rows = item.changes.map((name) => {
    const before = item.before?.[name] ?? item.credentials_before[name];
    const after = item.after?.[name] ?? item.credentials_after[name];
    const words = FIELDS[name] ?? name;
    const known = [item.before ?? {}, item.after ?? {}, item.credentials_before, item.credentials_after].some((one) => name in one);
    return h("li", {}, h("strong", {}, words), known ? [": ", h("del", {}, inWords(before)), " → ", h("ins", {}, inWords(after))] : " set");
  });
  return h("ul", { class: "plain" }, rows);
}
