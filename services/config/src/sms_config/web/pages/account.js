// One's own account: who one is, and one's password.

import { call } from "../api.js";
import { h, time } from "../dom.js";
import { field, form } from "../forms.js";
import { head } from "../lists.js";
import { go } from "../router.js";
import { enter, openSession } from "../session.js";
import { say } from "../toast.js";
import { ROLES } from "../words.js";
import { PASSWORD_RULE } from "./users.js";

export async function account({ session }) {
  const { user, tenants } = session;
  const facts = [
    ["User name", user.name],
    ["Role", ROLES[user.role]],
    ["Tenant", user.tenant_id === null ? "All" : (tenants.find(({ id }) => id === user.tenant_id)?.name ?? user.tenant_id)],
    ["Last log-in", time(user.last_login_at)],
    ["Password set", time(user.password_changed_at)],
  ];
  return [
    head("Your account", null),
    h("section", { class: "card narrow", "aria-label": "Who you are" }, h("dl", {}, facts.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))))),
    password(user),
  ];
}

function password(user) {
  const save = async (data) => {
    const wanted = data.get("password");
    await call("PATCH", `users/${user.id}`, { body: { password: wanted, current_password: data.get("current_password") }, inside: null });
    // The new password has ended every session, this one too.
    enter(await openSession(user.name, wanted));
    go("account");
    say("Password changed. Everywhere else you are logged out.");
  };
  const check = (data) => (data.get("password") === data.get("repeated") ? [] : [{ field: "repeated", message: "is not the same as the new password" }]);
  return form({ save, check, submit: "Change password", label: "Password" },
    h("section", { class: "card narrow", "aria-labelledby": "password-title" }, h("h2", { id: "password-title" }, "Change your password"),
      h("input", { type: "text", hidden: true, autocomplete: "username", value: user.name, readonly: true }),
      field({ name: "current_password", label: "Present password", type: "password", required: true, autocomplete: "current-password" }),
      field({ name: "password", label: "New password", type: "password", required: true, autocomplete: "new-password", hint: PASSWORD_RULE }),
      field({ name: "repeated", label: "New password again", type: "password", required: true, autocomplete: "new-password" })));
}
