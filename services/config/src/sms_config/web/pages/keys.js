// API keys, for programs.

import { call, get } from "../api.js";
import { copyButton } from "../clipboard.js";
import { patch } from "../conflict.js";
import { confirm, show } from "../dialogs.js";
import { badge, h, time } from "../dom.js";
import { changes, field, form, text } from "../forms.js";
import { addButton, empty, head, nothingFound, paging, readCounted, search, table } from "../lists.js";
import { back, go, goBack, link } from "../router.js";
import { say } from "../toast.js";
import { FIELDS } from "../words.js";
import { removeOf, tenantField } from "./trunks.js";

const SCOPES = [
  ["read", "Read everything, message history too"],
  ["config", "Change tenants, trunks, SMS configurations and rules"],
  ["send", "Nothing yet: texts are sent through RabbitMQ, which has users of its own"],
  ["operate", "Replay and discard dead letters"],
  ["admin", "Everything, API keys and users too"],
];

export async function keys({ query }) {
  const found = await readCounted("api-keys", query, { orderby: "name", key: (item) => item.name });
  const top = head("API keys", "For programs that configure the gateway or read from it. A key is shown once, when it is made.", addButton("keys/new", "Add"));
  if (found.count === 0 && !query.get("search")) {
    return [top, empty({ shape: "key", title: "No API key yet", text: "Make one for each program, with no more rights than it needs. To replace a key, make a second one and delete the first when the program has it.", action: addButton("keys/new", "Make an API key") })];
  }
  const columns = [
    { title: "Name", cell: (item) => h("a", { href: link(`keys/${item.id}`) }, item.name) },
    { title: "Begins with", cell: (item) => h("code", {}, `sms_${item.prefix}_…`) },
    { title: "Scopes", cell: (item) => item.scopes.map((scope) => badge(scope, "off")) },
    { title: "Tenants", cell: (item) => item.tenants?.join(", ") ?? h("span", { class: "minor" }, "All") },
    { title: "Expires", cell: (item) => expiry(item.expires_at) },
    { title: "Last used", cell: (item) => time(item.last_used_at) ?? h("span", { class: "minor" }, "Never") },
  ];
  return [
    top,
    search({ path: "keys", query, label: "Name, or how it begins" }),
    found.items.length ? table({ caption: "API keys", columns, items: found.items, open: (item) => `keys/${item.id}` }) : nothingFound("keys", { query, found }),
    paging({ path: "keys", query, found }),
  ];
}

function expiry(at) {
  if (at === null) return h("span", { class: "minor" }, "Never");
  return new Date(at) < new Date() ? badge("Expired", "bad") : time(at);
}

export async function key({ id, system, tenantId, session }) {
  const item = id === "new" ? null : await get(`api-keys/${encodeURIComponent(id)}`);
  const loaded = item ?? { scopes: ["read"] };
  const own = tenantId ?? (system ? null : session.user.tenant_id);
  const save = async (data) => {
    const values = { name: text(data, "name") ?? "", expires_at: data.get("expires_at") ? new Date(data.get("expires_at")).toISOString() : null };
    const scopes = data.getAll("scopes");
    if (item === null) {
      const chosen = own ?? text(data, "tenant_id");
      const made = await call("POST", "api-keys", { body: { ...values, scopes, tenants: chosen === null ? null : [chosen] } });
      reveal(made);
      return;
    }
    const body = changes({ name: values.name }, loaded);
    if (local(item.expires_at) !== (data.get("expires_at") || "")) body.expires_at = values.expires_at;
    if ([...scopes].sort().join() !== [...item.scopes].sort().join()) body.scopes = scopes;
    const saved = await patch(`api-keys/${item.id}`, body, item.version, FIELDS);
    if (saved === null) go(`keys/${item.id}`);
    else goBack("keys");
    say(saved === null ? "Loaded again" : "Saved");
  };
  const remove = async () => {
    if (!(await confirm({ title: "Delete this key?", text: `Programs that use ${item.name} are refused from now on.`, action: "Delete" }))) return;
    await removeOf(`api-keys/${item.id}`, "keys", item.name);
  };
  return [
    h("nav", { class: "crumbs", "aria-label": "Back" }, h("a", { href: back("keys") }, "API keys")),
    head(item?.name ?? "Add API key", null),
    form(
      { save, submit: item === null ? "Make key" : "Save changes", secondary: [h("a", { class: "button", href: back("keys") }, "Back"), item && h("button", { type: "button", class: "button danger quiet push", onclick: remove }, "Delete…")], label: "API key" },
      h("div", { class: "card narrow" },
        field({ name: "name", label: "Name", required: true, value: loaded.name ?? "", autocomplete: "off", hint: "The program it is for." }),
        scopeField(loaded.scopes),
        item === null && own === null ? tenantField(session, { required: false, placeholder: "All tenants" }) : null,
        field({ name: "expires_at", label: "Expires", type: "datetime-local", value: local(loaded.expires_at), hint: "Empty: never." }),
      ),
    ),
  ];
}

const scopeField = (given) =>
  h("fieldset", { class: "field" }, h("legend", {}, "Scopes"), SCOPES.filter(([scope]) => scope !== "send" || given.includes(scope)).map(([scope, words]) => h("label", { class: "choice" }, h("input", { type: "checkbox", name: "scopes", value: scope, id: `scope-${scope}`, checked: given.includes(scope) }), h("span", {}, h("strong", {}, scope), ` ${words}`))), h("p", { id: "field-scopes-error", class: "error" }));

// A moment as a field of local time has it.
function local(iso) {
  if (!iso) return "";
  const at = new Date(iso);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function reveal(made) {
  let noted = false;
  const dialog = h(
    "dialog",
    { "aria-labelledby": "key-title", closedby: "none" },
    h("h2", { id: "key-title" }, "Copy the key now"),
    h("p", {}, `This is the only time that the key of ${made.name} is shown. Nobody can show it again.`),
    h("div", { class: "joined" }, h("code", { class: "address", tabindex: "0", "aria-label": "API key" }, made.key), copyButton(made.key, "key")),
    h("div", { class: "actions end" }, h("button", { type: "button", class: "button primary", onclick: () => { noted = true; dialog.close(); } }, "I have copied it")),
  );
  const stay = (event) => event.preventDefault();
  addEventListener("beforeunload", stay);
  show(dialog, () => {
    removeEventListener("beforeunload", stay);
    go("keys");
  }, { mayClose: () => noted });
}
