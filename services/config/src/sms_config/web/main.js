// The frame of the portal: who is logged in, the navigation, and the page that the address names.

import { ApiError, call, get, use } from "./api.js";
import { combobox } from "./combobox.js";
import { h, icon, say } from "./dom.js";
import { findTenant, tenantName } from "./finding.js";
import { here, inTenant, link } from "./router.js";
import { audit } from "./pages/audit.js";
import { dead, deadLetter } from "./pages/dead.js";
import { key, keys } from "./pages/keys.js";
import { logIn, setUp } from "./pages/entry.js";
import { explain } from "./pages/explain.js";
import { extension, extensions } from "./pages/extensions.js";
import { inbound, inboundRule } from "./pages/inbound.js";
import { message, messages } from "./pages/messages.js";
import { outbound, outboundRule } from "./pages/outbound.js";
import { routing } from "./pages/routing.js";
import { sms } from "./pages/sms.js";
import { smsForm } from "./pages/sms_form.js";
import { tenant, tenants } from "./pages/tenants.js";
import { trunk, trunks } from "./pages/trunks.js";
import { user, users } from "./pages/users.js";

// In the order of the navigation; `begins` names the part of it that a page is the first of.
const PAGES = {
  sms: { title: "SMS/MMS", shape: "config", list: sms, one: smsForm },
  trunks: { title: "Trunks & DIDs", shape: "trunk", list: trunks, one: trunk },
  inbound: { title: "Inbound rules", shape: "inbound", list: inbound, one: inboundRule, begins: "Routing" },
  outbound: { title: "Outbound rules", shape: "outbound", list: outbound, one: outboundRule },
  extensions: { title: "Extensions", shape: "extension", list: extensions, one: extension },
  routing: { title: "Hours & blocking", shape: "clock", list: routing },
  explain: { title: "Explain", shape: "explain", list: explain },
  messages: { title: "Message history", shape: "messages", list: messages, one: message, begins: "Messages" },
  dead: { title: "Dead letters", shape: "dead", list: dead, one: deadLetter },
  users: { title: "Users", shape: "users", list: users, one: user, begins: "Administration" },
  keys: { title: "API keys", shape: "key", list: keys, one: key },
  audit: { title: "Audit log", shape: "audit", list: audit },
  tenants: { title: "Tenants", shape: "tenant", list: tenants, one: tenant, forSystem: true },
};

const app = document.getElementById("app");
let session = null;
let turn = 0;
let leave = () => {};

async function navigate() {
  const mine = ++turn;
  leave();
  leave = () => {};
  const place = here();
  if (place.parts[0] === "set-up") return entry(setUp(place.parts[1] ?? "", entered), "Set up");
  try {
    if (session === null) await begin();
    use({ tenantId: place.tenant });
    await page(place, mine);
  } catch (error) {
    if (mine !== turn) return undefined;
    if (error instanceof ApiError && error.status === 401) return entry(logIn(entered), "Log in");
    if (!(error instanceof ApiError)) throw error;
    if (session === null) return entry(h("div", { class: "card" }, problem(error)), "SMS gateway");
    return fill(problem(error), "Not available");
  }
  return undefined;
}

async function begin() {
  use({ tenantId: null });
  entered(await get("session"), { stay: true });
}

function entered(found, { stay = false } = {}) {
  session = found;
  use({ csrf: found.csrf_token });
  if (stay) return;
  if (here().parts[0] === "set-up") location.hash = "#/sms";
  else navigate();
}

async function page({ tenant: tenantId, parts, query }, mine) {
  const [name = "sms", id] = parts;
  const known = Object.hasOwn(PAGES, name) && parts.length < 3 && (!id || PAGES[name].one) ? PAGES[name] : null;
  frame(name, tenantId);
  const foreign = tenantId !== null && session.user.role !== "system_admin" && tenantId !== session.user.tenant_id;
  if (known === null || foreign) return fill(missing(), "Not found");
  const context = {
    id,
    query,
    tenantId,
    session,
    system: session.user.role === "system_admin",
    refresh: async () => { session = await get("session"); },
    leaving: (work) => {
      if (mine === turn) leave = work;
      else work(); // the page was left before it was there
    },
  };
  const content = await (id ? known.one : known.list)(context);
  if (mine === turn) fill(content, known.title);
  return undefined;
}

function fill(content, title) {
  const main = document.getElementById("main");
  main.replaceChildren(...[content].flat());
  main.removeAttribute("aria-busy");
  document.title = `${main.querySelector("h1")?.textContent ?? title} · SMS gateway`;
  main.querySelector("h1")?.focus({ preventScroll: true });
  scrollTo(0, 0);
}

function frame(current, tenantId) {
  const focused = document.activeElement?.id;
  app.replaceChildren(
    h("a", { class: "skip", href: "#main", onclick: skip }, "Skip to content"),
    h(
      "header",
      { class: "top" },
      h("button", { type: "button", id: "menu", class: "button quiet menu", "aria-expanded": "false", "aria-controls": "nav", onclick: menu }, icon("menu"), h("span", { class: "offscreen" }, "Menu")),
      h("a", { class: "brand", href: link("sms"), "aria-label": "SMS gateway" }, h("img", { src: "/portal/icon.svg", alt: "", width: "28", height: "28" }), h("span", {}, "SMS gateway")),
      session.user.role === "system_admin" ? switcher(tenantId) : h("span", { class: "where" }, session.tenants[0]?.name),
      h("span", { class: "who" }, session.user.name),
      h("button", { type: "button", class: "button quiet", onclick: logOut }, icon("out"), h("span", {}, "Log out")),
    ),
    h("nav", { id: "nav", "aria-label": "Pages" }, h("ul", {}, Object.entries(PAGES).filter(([, known]) => !known.forSystem || session.user.role === "system_admin").map(([name, known]) => entryOf(name, known, current)))),
    h("main", { id: "main", tabindex: "-1", "aria-busy": "true" }, h("div", { class: "loading", role: "status" }, h("span", { class: "offscreen" }, "Loading"))),
  );
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

const entryOf = (name, { title, shape, begins }, current) =>
  h("li", { "data-begins": begins }, h("a", { href: link(name), "aria-current": name === current ? "page" : undefined }, icon(shape), h("span", {}, title)));

function switcher(tenantId) {
  const all = { value: "", text: "All tenants" };
  const known = session.tenants.find(({ id }) => id === tenantId);
  const find = async (search) => {
    const found = await findTenant(search);
    return all.text.toLowerCase().includes(search.toLowerCase()) ? { ...found, items: [all, ...found.items] } : found;
  };
  const chosen = ({ value, text }) => {
    location.hash = inTenant(value || null, here().parts[0] ?? "sms");
    say(value ? `Working in ${text}` : "Working in all tenants");
  };
  const box = combobox({ id: "tenant", name: "tenant", find, value: tenantId ?? "", text: tenantId === null ? all.text : (known?.name ?? tenantId), clears: false, chosen });
  if (tenantId !== null && known === undefined) {
    // The session names the first tenants only. Of one that does not exist the page itself tells.
    tenantName(tenantId).then((name) => { box.rename(name); }, () => {});
  }
  return h("div", { class: "switcher" }, h("label", { for: "tenant", class: "offscreen" }, "Tenant to work in"), box);
}

function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

function menu(event) {
  const open = document.body.classList.toggle("menu-open");
  event.currentTarget.setAttribute("aria-expanded", String(open));
}

async function logOut() {
  try {
    await call("DELETE", "session");
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
  }
  session = null;
  use({ csrf: "", tenantId: null });
  turn++;
  history.replaceState(null, "", "#/sms");
  entry(logIn(entered), "Log in");
  say("Logged out");
}

// Pages for who is not logged in stand alone.
function entry(content, title) {
  session = null;
  app.replaceChildren(h("main", { class: "alone" }, h("p", { class: "brand" }, h("img", { src: "/portal/icon.svg", alt: "", width: "36", height: "36" }), h("span", {}, "SMS gateway")), content));
  document.title = `${title} · SMS gateway`;
  (app.querySelector("input") ?? app.querySelector("h1"))?.focus();
}

function problem(error) {
  const gone = error.status === 404;
  return h(
    "div",
    { class: "empty", role: "alert" },
    h("h1", { tabindex: "-1" }, gone ? "Not found" : "This cannot be shown now"),
    h("p", {}, gone ? "There is nothing at this address, or it belongs to another tenant." : error.message),
    error.requestId ? h("p", { class: "hint" }, `Request ${error.requestId}`) : null,
    h("div", { class: "actions" }, gone ? h("a", { class: "button", href: "#/sms" }, "To SMS/MMS") : h("button", { type: "button", class: "button", onclick: () => navigate() }, "Try again")),
  );
}

const missing = () => problem(new ApiError(404, { message: "" }));

addEventListener("hashchange", () => {
  document.body.classList.remove("menu-open");
  navigate();
});
navigate();
