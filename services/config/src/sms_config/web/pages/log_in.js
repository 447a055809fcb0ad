// The two pages before there is a session: log in, and make the first administrator.

import { call, use } from "../api.js";
import { h } from "../dom.js";
import { field, form, text } from "../forms.js";
import { openSession } from "../session.js";

export function logIn(entered) {
  const save = async (data, element) => {
    try {
      entered(await openSession(text(data, "username") ?? "", data.get("password")));
    } catch (error) {
      element.elements.password.value = "";
      throw error;
    }
  };
  return h(
    "div",
    { class: "card" },
    h("h1", {}, "Log in"),
    form(
      { save, submit: "Log in", working: "Logging in…", refused: "Not logged in", label: "Log in", guarded: false },
      field({ name: "username", label: "User name", autocomplete: "username", autocapitalize: "none", spellcheck: "false" }),
      field({ name: "password", label: "Password", type: "password", autocomplete: "current-password" }),
    ),
  );
}

export function setUp(token, entered) {
  const save = async (data) => {
    const body = { token, name: text(data, "name") ?? "", password: data.get("password") };
    use({ csrf: "", tenantId: null });
    entered(await call("POST", "set-up", { body, bare: true }));
  };
  return h(
    "div",
    { class: "card" },
    h("h1", {}, "Welcome"),
    h("p", { class: "lead" }, "Make the first administrator of this gateway. The link you followed works once."),
    form(
      { save, submit: "Make administrator", working: "Making…", label: "First administrator", guarded: false },
      field({ name: "name", label: "User name", required: true, autocomplete: "username", autocapitalize: "none", spellcheck: "false", value: "admin" }),
      field({ name: "password", label: "Password", required: true, type: "password", autocomplete: "new-password", hint: "12 characters or more, and not the user name. A sentence is easy to remember." }),
    ),
  );
}
