// Extensions: who may send texts, and as which numbers.

import { call, get } from "../api.js";
import { picker } from "../combobox.js";
import { patch } from "../conflict.js";
import { confirm } from "../dialogs.js";
import { badge, h } from "../dom.js";
import { findTrunk, names } from "../lookups.js";
import { changes, choices, field, form, text, words } from "../forms.js";
import { addButton, empty, head, nothingFound, paging, readCounted, search, table } from "../lists.js";
import { back, go, goBack, hash, link } from "../router.js";
import { listed, rows } from "../rows.js";
import { say } from "../toast.js";
import { FIELDS, PERMISSIONS } from "../words.js";
import { chooseTenant, needsTenant } from "./choose.js";
import { removeOf } from "./trunks.js";

const PATH = "extensions";
const TITLE = "Extensions";
const CALLER_IDS = 50;
const NEW = { extension: "", permission: "ALLOW_WITH_SENDER_ID", caller_ids: [], groups: [] };
const TONES = { DISABLE: "bad", ALLOW: "good", ALLOW_WITH_SENDER_ID: "good" };

export async function extensions({ query, system, tenantId }) {
  const everywhere = system && tenantId === null;
  const found = await readCounted(PATH, query, { orderby: everywhere ? "tenant_id, extension" : "extension", key: (item) => (everywhere ? `${item.tenant_id} ${item.extension}` : item.extension) });
  const top = head(TITLE, "Who may send, and as which numbers. What extensions may do that are not listed here is set under Hours & blocking.", addButton("extensions/new", "Add"));
  if (found.count === 0 && !query.get("search")) {
    return [top, empty({ shape: "extension", title: "No extension yet", text: "What every extension may do is set under Hours & blocking. Add one to give it a number of its own, to put it into a group, or to keep it from sending.", action: addButton("extensions/new", "Add an extension") })];
  }
  const trunks = await names("trunks", found.items.flatMap((item) => item.caller_ids.map((caller) => caller.trunk_id)));
  const columns = [
    { title: "Extension", cell: (item) => h("a", { href: link(`extensions/${item.id}`) }, item.extension), kind: "number" },
    ...(everywhere ? [{ title: "Tenant", cell: (item) => item.tenant_id }] : []),
    { title: "May send", cell: (item) => badge(PERMISSIONS[item.permission][0], TONES[item.permission]) },
    { title: "Caller IDs", cell: (item) => (item.caller_ids.length ? item.caller_ids.map((caller) => h("span", { class: "block" }, caller.number, h("span", { class: "minor inline" }, ` ${caller.description || trunks.get(caller.trunk_id)}`))) : h("span", { class: "minor" }, "None of its own")), kind: "number" },
    { title: "Groups", cell: (item) => item.groups.map((group) => badge(group, "off")) },
  ];
  return [
    top,
    search({ path: "extensions", query, label: "Extension" }),
    found.items.length ? table({ caption: TITLE, columns, items: found.items, open: (item) => `extensions/${item.id}` }) : nothingFound("extensions", { query, found }),
    paging({ path: "extensions", query, found }),
  ];
}

export async function extension(context) {
  const item = context.id === "new" ? null : await get(`${PATH}/${encodeURIComponent(context.id)}`);
  const crumbs = h("nav", { class: "crumbs", "aria-label": "Back" }, h("a", { href: back("extensions") }, TITLE));
  const top = head(item === null ? "Add extension" : `Extension ${item.extension}`, null);
  if (item === null && needsTenant(context)) return [crumbs, top, chooseTenant(context.session, "extensions/new", "Extensions belong")];
  const loaded = item ?? NEW;
  const trunks = await names("trunks", loaded.caller_ids.map((caller) => caller.trunk_id));
  return [crumbs, top, fields(item, loaded, trunks, context.system)];
}

function fields(item, loaded, trunks, system) {
  const save = async (data) => {
    const values = {
      extension: text(data, "extension") ?? "",
      permission: data.get("permission"),
      caller_ids: listed(data, "caller_ids").map((caller) => ({ number: caller.number ?? "", trunk_id: caller.trunk_id ?? undefined, description: caller.description ?? "" })),
      groups: words(data, "groups"),
    };
    if (item === null) {
      await call("POST", PATH, { body: values });
      go("extensions");
      say(`Extension ${values.extension} added`);
      return;
    }
    const saved = await patch(`${PATH}/${item.id}`, changes(values, loaded), item.version, FIELDS);
    if (saved === null) go(`extensions/${item.id}`);
    else goBack("extensions");
    say(saved === null ? "Loaded again" : "Saved");
  };
  const remove = async () => {
    if (!(await confirm({ title: "Delete this extension?", text: `What is set for ${item.extension} is deleted. It may then send as any number of its tenant.`, action: "Delete" }))) return;
    await removeOf(`${PATH}/${item.id}`, "extensions", `Extension ${item.extension}`);
  };
  const explain = item && h("a", { class: "button", href: hash("explain", { way: "outbound", extension: item.extension }, system ? item.tenant_id : undefined) }, "Try it in Explain");
  return form(
    { save, submit: item === null ? "Add extension" : "Save changes", secondary: [h("a", { class: "button", href: back("extensions") }, "Back"), explain, item && h("button", { type: "button", class: "button danger quiet push", onclick: remove }, "Delete…")], label: "Extension" },
    h("div", { class: "card narrow" },
      field({ name: "extension", label: "Extension", required: true, value: loaded.extension, autocomplete: "off", inputmode: "numeric", hint: "As the PBX names it in its requests." }),
      choices({ name: "permission", label: "Permission", type: "radio", among: Object.entries(PERMISSIONS).map(([value, [, label, meaning]]) => [value, label, meaning]), chosen: [loaded.permission] }),
      field({ name: "groups", label: "Groups", value: loaded.groups.join("; "), autocomplete: "off", placeholder: "sales; support", hint: "Separated by semicolons. Outbound rules can ask for them." })),
    h("section", { class: "card narrow", "aria-labelledby": "callers-title" }, h("div", {}, h("h2", { id: "callers-title" }, "Caller IDs"), h("p", { class: "hint" }, "The numbers it may send as. On each trunk, the first one is used unless a request names another.")),
      rows({ name: "caller_ids", noun: "caller ID", items: loaded.caller_ids, most: CALLER_IDS, ordered: true, none: "None: it may use any number of its tenant.", make: (prefix, caller) => callerFields(prefix, caller, trunks, item?.tenant_id) })));
}

function callerFields(prefix, caller, trunks, tenantId) {
  return h("div", { class: "fields" },
    field({ name: `${prefix}.number`, label: "Number", required: true, value: caller.number ?? "", autocomplete: "off", inputmode: "tel" }),
    picker({ name: `${prefix}.trunk_id`, label: "Trunk", required: true, value: caller.trunk_id ?? "", text: trunks.get(caller.trunk_id) ?? "", find: findTrunk(tenantId), placeholder: "Choose one" }),
    field({ name: `${prefix}.description`, label: "Description", value: caller.description ?? "", autocomplete: "off" }));
}
