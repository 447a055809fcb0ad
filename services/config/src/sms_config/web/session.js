// The session. When it ends while a page is open, a log-in dialog opens over the page: nothing typed is lost, and the
// request that was refused is repeated once.

import { ApiError, call, get, recoverBy, use } from "./api.js";
import { h } from "./dom.js";
import { forget } from "./dirty.js";
import { confirm, show } from "./dialogs.js";
import { field, form, text } from "./forms.js";

const ALONE = { inside: null, bare: true };
let session = null;
let asked = null;
let restart = () => {};

export const current = () => session;

// `again` restarts the portal for another person.
export function keepSession(again) {
  restart = again;
  recoverBy(recovered);
}

export function enter(found) {
  session = found;
  use({ csrf: found.csrf_token });
}

export function forgetSession() {
  session = null;
  use({ csrf: "", tenantId: null });
}

// Read the session of the browser's cookie. Throws the API's 401 when nobody is logged in.
export const readSession = () => get("session", {}, ALONE);

export async function refresh() {
  enter(await readSession());
}

export const end = () => call("DELETE", "session", ALONE);

// Log in. Resolves to the session. Says so when the browser does not keep the cookie: it would ask again and again.
export async function openSession(name, password) {
  use({ csrf: "" });
  await call("POST", "session", { ...ALONE, body: { username: name, password } });
  try {
    return await readSession();
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
    const why = location.protocol === "https:" ? "Allow cookies for this address." : `It is kept on pages that were opened by https only: open ${location.host} by https, or the address that your administrator has for it.`;
    throw new ApiError(0, { code: "cookie_lost", message: `Name and password are right, but this browser does not keep the session. ${why}` });
  }
}

async function recovered(error) {
  if (session === null || !(error instanceof ApiError)) return false;
  if (error.code === "csrf_refused") return renewed();
  return error.code === "unauthenticated" && logInAgain();
}

// The session has changed: the same person logged in from another tab, or somebody else did.
async function renewed() {
  const found = await readSession().catch((error) => (error instanceof ApiError && error.status === 401 ? null : Promise.reject(error)));
  return found === null ? logInAgain() : taken(found);
}

// Ask the person to log in, once for all waiting requests. Resolves to whether the same person did.
export function logInAgain() {
  asked ??= ask().finally(() => { asked = null; });
  return asked;
}

const ask = () => new Promise((resolve, reject) => {
  let found = null;
  const save = async (data, element) => {
    try {
      found = await openSession(text(data, "username") ?? "", data.get("password"));
      dialog.close();
    } finally {
      element.elements.password.value = "";
    }
  };
  const later = h("button", { type: "button", class: "button", onclick: () => dialog.close() }, "Not now");
  const dialog = h(
    "dialog",
    { "aria-labelledby": "again-title" },
    h("h2", { id: "again-title" }, "Log in again"),
    h("p", {}, "Your session has ended. What you typed is still on the page, and it goes on from there."),
    form(
      { save, submit: "Log in", working: "Logging in…", refused: "Not logged in", label: "Log in again", guarded: false, secondary: later },
      field({ name: "username", id: "again-username", label: "User name", value: session.user.name, autocomplete: "username", autocapitalize: "none", spellcheck: "false" }),
      field({ name: "password", id: "again-password", label: "Password", type: "password", autocomplete: "current-password" }),
    ),
  );
  show(dialog, () => { (found === null ? Promise.resolve(false) : taken(found)).then(resolve, reject); });
  dialog.querySelector('[type="password"]').focus();
});

// Go on as the person who is logged in now. Resolves to whether it is the person who opened the page. Nobody else sees it.
async function taken(found) {
  const { user } = session;
  if (found.user.id === user.id) {
    enter(found);
    return true;
  }
  use({ csrf: found.csrf_token });
  const words = { title: `${found.user.name} is logged in now`, text: `${user.name} opened this page. It is not saved for ${found.user.name}: log in as ${user.name} to go on with it, or leave it.`, action: `Leave it, go on as ${found.user.name}`, cancel: `Log in as ${user.name}` };
  if (!(await confirm(words))) {
    await end();
    return ask();
  }
  forget();
  enter(found);
  restart();
  return false;
}
