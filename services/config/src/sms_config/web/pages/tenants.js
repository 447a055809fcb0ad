// Tenants, for system administrators: the list, switching into one, adding and editing.

import { call, get } from "../api.js";
import { picker } from "../combobox.js";
import { patch } from "../conflict.js";
import { confirm } from "../dialogs.js";
import { h } from "../dom.js";
import { findConfig, findZone, names } from "../lookups.js";
import { changes, field, form, text, toggle } from "../forms.js";
import { addButton, empty, head, nothingFound, paging, readCounted, search, table } from "../lists.js";
import { back, go, goBack, inTenant, link } from "../router.js";
import { say } from "../toast.js";
import { FIELDS } from "../words.js";
import { removeOf } from "./trunks.js";

export async function tenants({ query }) {
  const found = await readCounted("tenants", query, { orderby: "name", key: (item) => item.name });
  const top = head("Tenants", "The customers of the PBX. Trunks, numbers, SMS configurations and messages belong to one each.", addButton("tenants/new", "Add"));
  if (found.count === 0 && !query.get("search")) {
    return [top, empty({ shape: "tenant", title: "No tenant yet", text: "Add the first customer of the PBX. Its id is what the PBX names in every request.", action: addButton("tenants/new", "Add a tenant") })];
  }
  const columns = [
    { title: "Name", cell: (item) => h("a", { href: link(`tenants/${item.id}`) }, item.name) },
    { title: "ID", cell: (item) => h("code", {}, item.id) },
    { title: "Country", cell: (item) => item.country },
    { title: "Time zone", cell: (item) => item.time_zone ?? h("span", { class: "minor" }, "None") },
    { title: "PBX", cell: (item) => item.pbx_id },
    { title: "Work in it", cell: (item) => h("a", { class: "button small", href: inTenant(item.id, "sms"), "aria-label": `Switch to ${item.name}` }, "Switch to") },
  ];
  return [
    top,
    search({ path: "tenants", query, label: "Name or id" }),
    found.items.length ? table({ caption: "Tenants", columns, items: found.items, open: (item) => `tenants/${item.id}` }) : nothingFound("tenants", { query, found }),
    paging({ path: "tenants", query, found }),
  ];
}

export async function tenant({ id, refresh, system }) {
  const item = id === "new" ? null : await get(`tenants/${encodeURIComponent(id)}`);
  const loaded = item ?? { country: "US", pbx_id: "main" };
  const configs = await names("sms", [loaded.default_config_id].filter(Boolean));
  const save = async (data) => {
    const values = { name: text(data, "name") ?? "", country: text(data, "country") ?? "", foreign_without_plus: data.get("foreign_without_plus") === "on", time_zone: text(data, "time_zone"), pbx_id: text(data, "pbx_id") ?? "", ...(item === null ? {} : { default_config_id: text(data, "default_config_id") }) };
    if (item === null) {
      const wanted = text(data, "id");
      await call("POST", "tenants", { body: wanted === null ? values : { ...values, id: wanted } });
    } else if ((await patch(`tenants/${item.id}`, changes(values, loaded), item.version, FIELDS)) === null) {
      go(`tenants/${item.id}`);
      return;
    }
    await refresh();
    if (!system) go(`tenants/${item.id}`);
    else if (item === null) go("tenants");
    else goBack("tenants");
    say("Saved");
  };
  const remove = async () => {
    if (!(await confirm({ title: "Delete this tenant?", text: `${item.name} is deleted. That is possible once nothing belongs to it any more.`, action: "Delete" }))) return;
    await removeOf(`tenants/${item.id}`, "tenants", item.name);
    await refresh();
  };
  return [
    system ? h("nav", { class: "crumbs", "aria-label": "Back" }, h("a", { href: back("tenants") }, "Tenants")) : "",
    head(item?.name ?? "Add tenant", null),
    form(
      { save, submit: item === null ? "Add tenant" : "Save changes", secondary: system ? [h("a", { class: "button", href: back("tenants") }, "Back"), item && h("button", { type: "button", class: "button danger quiet push", onclick: remove }, "Delete…")] : [], label: "Tenant" },
      h("div", { class: "card narrow" },
        field({ name: "name", label: "Name", required: true, value: loaded.name ?? "", autocomplete: "off" }),
        item === null
          ? field({ name: "id", label: "ID", autocomplete: "off", spellcheck: "false", hint: "What the PBX names in its requests: letters, digits, - and _. It cannot be changed later. Empty: a random one." })
          : h("p", { class: "field" }, h("span", { class: "hint" }, "ID "), h("code", {}, item.id)),
        field({ name: "country", label: "Country", required: true, value: loaded.country, maxlength: "2", autocomplete: "off", hint: "Two letters, such as US. National numbers are read with it." }),
        toggle({ name: "foreign_without_plus", label: "Foreign numbers without +", checked: loaded.foreign_without_plus ?? false, hint: "For a PBX that leaves the + out. A digit too many may then reach somebody abroad." }),
        picker({ name: "time_zone", label: "Time zone", value: loaded.time_zone ?? "", text: loaded.time_zone ?? "", free: true, find: findZone, placeholder: "America/New_York" }),
        field({ name: "pbx_id", label: "PBX", required: true, value: loaded.pbx_id, autocomplete: "off", hint: "Names the queues pbx.<PBX>.inbound and pbx.<PBX>.status that the PBX reads." }),
        item === null ? null : picker({ name: "default_config_id", label: "Default configuration", value: loaded.default_config_id ?? "", text: configs.get(loaded.default_config_id) ?? "", find: findConfig(item.id), placeholder: "None", hint: "Used when a request names none." }),
      ),
    ),
  ];
}
