// The people who may log in.

import { ApiError, call, get } from "../api.js";
import { patch } from "../conflict.js";
import { confirm } from "../dialogs.js";
import { badge, dateTime, h, time } from "../dom.js";
import { changes, field, form, option, text, toggle } from "../forms.js";
import { addButton, empty, head, nothingFound, paging, readCounted, search, table } from "../lists.js";
import { back, go, goBack, link } from "../router.js";
import { say } from "../toast.js";
import { FIELDS, ROLES } from "../words.js";
import { removeOf, tenantField } from "./trunks.js";

export const PASSWORD_RULE = "12 characters or more, and not the user name.";

export async function users({ query, session }) {
  const found = await readCounted("users", query, { orderby: "name", key: (item) => item.name });
  const top = head("Users", "The people who may log in to this portal.", addButton("users/new", "Add"));
  if (found.count === 0 && !query.get("search")) {
    return [top, empty({ shape: "users", title: "No user in this tenant", text: "Add a tenant administrator, who sees this tenant and nothing else.", action: addButton("users/new", "Add a user") })];
  }
  const columns = [
    { title: "User name", cell: (item) => [h("a", { href: link(`users/${item.id}`) }, item.name), item.id === session.user.id ? h("span", { class: "minor" }, "This is you") : null] },
    { title: "Role", cell: (item) => ROLES[item.role] },
    { title: "Tenant", cell: (item) => item.tenant_id ?? h("span", { class: "minor" }, "All") },
    { title: "State", cell: (item) => (item.disabled ? badge("Disabled", "off") : badge("Active", "good")) },
    { title: "Last log-in", cell: (item) => time(item.last_login_at) ?? h("span", { class: "minor" }, "Never") },
  ];
  return [
    top,
    search({ path: "users", query, label: "User name" }),
    found.items.length ? table({ caption: "Users", columns, items: found.items, open: (item) => `users/${item.id}` }) : nothingFound("users", { query, found }),
    paging({ path: "users", query, found }),
  ];
}

export async function user({ id, system, tenantId, session }) {
  const item = id === "new" ? null : await get(`users/${encodeURIComponent(id)}`);
  const chooses = system && tenantId === null;
  const loaded = item ?? {};
  const me = item?.id === session.user.id;
  const save = async (data) => {
    const values = { name: text(data, "name") ?? "", disabled: data.get("disabled") === "on" };
    values.role = chooses ? data.get("role") : (loaded.role ?? "tenant_admin");
    if (chooses) values.tenant_id = values.role === "tenant_admin" ? text(data, "tenant_id") : null;
    const password = data.get("password") || null;
    if (me && !(await mayGiveUp(loaded, values))) throw new ApiError(0, { code: "not_saved", message: "Not saved: you kept your rights." });
    if (item === null) {
      await call("POST", "users", { body: { ...values, password: password ?? "" } });
    } else {
      const body = { ...changes(values, loaded), ...(password === null ? {} : { password }) };
      if ((await patch(`users/${item.id}`, body, item.version, FIELDS)) === null) return go(`users/${item.id}`);
    }
    if (item === null) go("users");
    else goBack("users");
    say("Saved");
    return undefined;
  };
  const remove = async () => {
    if (!(await confirm({ title: "Delete this user?", text: `${item.name} is logged out at once and cannot log in any more.`, action: "Delete" }))) return;
    await removeOf(`users/${item.id}`, "users", item.name);
  };
  const hint = item === null ? PASSWORD_RULE : `Set on ${dateTime(item.password_changed_at)}; leave empty to keep. A new one ends every session of this user.`;
  return [
    h("nav", { class: "crumbs", "aria-label": "Back" }, h("a", { href: back("users") }, "Users")),
    head(item?.name ?? "Add user", null),
    form(
      { save, submit: item === null ? "Add user" : "Save changes", secondary: [h("a", { class: "button", href: back("users") }, "Back"), item && !me ? h("button", { type: "button", class: "button danger quiet push", onclick: remove }, "Delete…") : null], label: "User" },
      h("div", { class: "card narrow" },
        field({ name: "name", label: "User name", required: true, value: loaded.name ?? "", autocomplete: "off", autocapitalize: "none", spellcheck: "false", hint: "Letters, digits and . _ @ + -, such as an e-mail address." }),
        chooses ? rights(loaded, session) : null,
        me
          ? h("p", {}, h("a", { href: link("account") }, "Change your password"), h("span", { class: "hint block" }, `Set on ${dateTime(item.password_changed_at)}.`))
          : field({ name: "password", label: "Password", type: "password", required: item === null, autocomplete: "new-password", hint }),
        toggle({ name: "disabled", label: "Disabled", checked: loaded.disabled ?? false, hint: "A disabled user cannot log in and is logged out at once." }),
      ),
    ),
  ];
}

// Before a person takes its own rights away; resolves to whether to go on.
function mayGiveUp(before, after) {
  if (after.disabled && !before.disabled) {
    return confirm({ title: "Disable yourself?", text: "You are logged out at once and cannot log in any more. Somebody else has to enable you again.", action: "Disable me" });
  }
  if (after.role !== before.role) {
    return confirm({ title: "Give up your own rights?", text: `You are ${ROLES[before.role].toLowerCase()} and will be ${ROLES[after.role].toLowerCase()}. Somebody else has to give the rights back.`, action: "Give them up" });
  }
  return true;
}

function rights(loaded, session) {
  const known = session.tenants.find(({ id }) => id === loaded.tenant_id)?.name;
  const tenant = tenantField(session, { value: loaded.tenant_id ?? undefined, text: known ?? loaded.tenant_id });
  const role = field({ name: "role", label: "Role", as: "select", value: loaded.role ?? "tenant_admin", children: Object.entries(ROLES).map(([value, words]) => option(value, words)), hint: "A system administrator acts in all tenants, a tenant administrator in one." });
  const show = () => { tenant.hidden = role.querySelector("select").value !== "tenant_admin"; };
  role.addEventListener("change", show);
  show();
  return [role, tenant];
}
