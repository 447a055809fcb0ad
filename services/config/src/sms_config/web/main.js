// The frame of the portal: who is logged in, the navigation, and the page that the address names.

import { ApiError, use } from "./api.js";
import { combobox } from "./combobox.js";
import { forget, isDirty, mayLeave } from "./dirty.js";
import { h, icon } from "./dom.js";
import { findTenant, tenantName } from "./lookups.js";
import { errorPage, forgetProblem, problemPage, showUncaughtErrors } from "./problems.js";
import { follow, here, inTenant, leadTo, link, remember, scrollBack } from "./router.js";
import { current, end, enter, forgetSession, keepSession, refresh } from "./session.js";
import { hushOthers, say } from "./toast.js";
import { account } from "./pages/account.js";
import { audit } from "./pages/audit.js";
import { deadLetter, deadLetters } from "./pages/dead_letters.js";
import { key, keys } from "./pages/keys.js";
import { logIn, setUp } from "./pages/log_in.js";
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

// In the order of the navigation. `begins` is the title of the section that starts with this page. `aside` pages are shown
// only where the header has no room for them.
const PAGES = {
  sms: { title: "SMS/MMS", shape: "config", list: sms, one: smsForm },
  trunks: { title: "Trunks & DIDs", shape: "trunk", list: trunks, one: trunk },
  inbound: { title: "Inbound rules", shape: "inbound", list: inbound, one: inboundRule, begins: "Routing" },
  outbound: { title: "Outbound rules", shape: "outbound", list: outbound, one: outboundRule },
  extensions: { title: "Extensions", shape: "extension", list: extensions, one: extension },
  routing: { title: "Hours & blocking", shape: "clock", list: routing },
  explain: { title: "Explain", shape: "explain", list: explain },
  messages: { title: "Message history", shape: "messages", list: messages, one: message, begins: "Messages" },
  dead: { title: "Dead letters", shape: "dead", list: deadLetters, one: deadLetter },
  users: { title: "Users", shape: "users", list: users, one: user, begins: "Administration" },
  keys: { title: "API keys", shape: "key", list: keys, one: key },
  audit: { title: "Audit log", shape: "audit", list: audit },
  tenants: { title: "Tenants", shape: "tenant", list: tenants, one: tenant, forSystem: true },
  account: { title: "Your account", shape: "users", list: account, aside: true },
};

const app = document.getElementById("app");
let navigation = 0; // counts navigations: an answer for an older one is dropped
let leave = () => {};

async function navigate() {
  const mine = ++navigation;
  leave();
  leave = () => {};
  forget();
  hushOthers();
  forgetProblem();
  document.body.classList.remove("menu-open");
  const place = here();
  if (place.parts[0] === "set-up") return entry(setUp(place.parts[1] ?? "", entered), "Set up");
  remember();
  try {
    if (current() === null) await refresh();
    use({ tenantId: place.tenant });
    await page(place, mine);
  } catch (error) {
    if (mine === navigation) failed(error, place);
  }
  return undefined;
}

function failed(error, place) {
  if (error.status === 401) return entry(logIn(entered), "Log in");
  const again = h("button", { type: "button", class: "button", onclick: () => navigate() }, "Try again");
  if (current() === null) return entry(h("div", { class: "card" }, errorPage(error, again)), "SMS gateway");
  if (error.status === 404) return fill(missing(), "Not found");
  // The address is wrong, so trying again would not help.
  const all = error.status === 422 && h("a", { class: "button primary", href: link(place.parts[0]) }, "Show all");
  fill(errorPage(error, [all, again].filter(Boolean)), "Not available");
  if (!(error instanceof ApiError)) console.error(error);
  return undefined;
}

function entered(found) {
  enter(found);
  if (here().parts[0] === "set-up") location.hash = "#/sms";
  else navigate();
}

async function page({ tenant: tenantId, parts, query }, mine) {
  const { user } = current();
  const system = user.role === "system_admin";
  const [name = "sms", id] = parts;
  const known = Object.hasOwn(PAGES, name) && parts.length < 3 && (!id || PAGES[name].one) ? PAGES[name] : null;
  frame(name, tenantId);
  const foreign = tenantId !== null && !system && tenantId !== user.tenant_id;
  if (known === null || foreign) return fill(missing(), "Not found");
  if (known.forSystem && !system && (!id || id === "new")) return fill(notAllowed(known.title), "Not allowed");
  if (system && tenantId !== null && !(await tenantExists(tenantId))) return mine === navigation ? fill(noTenant(tenantId), "Not found") : undefined;
  const context = {
    id,
    query,
    tenantId,
    session: current(),
    system,
    refresh,
    leaving: (work) => {
      if (mine === navigation) leave = work;
      else work(); // the person left the page before it was loaded
    },
  };
  const content = await (id ? known.one : known.list)(context);
  if (mine === navigation) fill(content, known.title);
  return undefined;
}

async function tenantExists(id) {
  if (current().tenants.some((one) => one.id === id)) return true;
  try {
    return Boolean(await tenantName(id));
  } catch (error) {
    if (error instanceof ApiError && [404, 422].includes(error.status)) return false;
    throw error;
  }
}

function fill(content, title) {
  const main = document.getElementById("main");
  main.replaceChildren(...[content].flat());
  main.removeAttribute("aria-busy");
  document.title = `${main.querySelector("h1")?.textContent ?? title} · SMS gateway`;
  main.querySelector("h1")?.focus({ preventScroll: true });
  scrollBack();
}

function frame(now, tenantId) {
  const { user, tenants: own } = current();
  const system = user.role === "system_admin";
  const focused = document.activeElement?.id;
  app.replaceChildren(
    h("a", { class: "skip", href: "#main", onclick: skip }, "Skip to content"),
    h(
      "header",
      { class: "top" },
      h("button", { type: "button", id: "menu", class: "button quiet menu", "aria-expanded": "false", "aria-controls": "nav", onclick: menu }, icon("menu"), h("span", { class: "offscreen" }, "Menu")),
      h("a", { class: "brand", href: link("sms"), "aria-label": "SMS gateway" }, h("img", { src: "/portal/icon.svg", alt: "", width: "28", height: "28" }), h("span", {}, "SMS gateway")),
      system ? switcher(tenantId) : h("span", { class: "where" }, own[0]?.name),
      h("a", { class: "who", href: link("account"), "aria-current": now === "account" ? "page" : undefined, "aria-label": `${user.name}: your account` }, user.name),
      h("button", { type: "button", class: "button quiet", onclick: logOut }, icon("out"), h("span", {}, "Log out")),
    ),
    h("nav", { id: "nav", "aria-label": "Pages" }, h("ul", {}, Object.entries(PAGES).filter(([, known]) => !known.forSystem || system).map(([name, known]) => entryOf(name, known, now)))),
    h("main", { id: "main", tabindex: "-1", "aria-busy": "true" }, h("div", { class: "loading", role: "status" }, h("span", { class: "offscreen" }, "Loading"))),
  );
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

const entryOf = (name, { title, shape, begins, aside }, now) =>
  h("li", { "data-begins": begins, class: aside ? "aside" : undefined }, h("a", { href: link(name), "aria-current": name === now ? "page" : undefined }, icon(shape), h("span", {}, title)));

function switcher(tenantId) {
  const all = { value: "", text: "All tenants" };
  const known = current().tenants.find(({ id }) => id === tenantId);
  const find = async (search) => {
    const found = await findTenant(search);
    return all.text.toLowerCase().includes(search.toLowerCase()) ? { ...found, items: [all, ...found.items] } : found;
  };
  const chosen = ({ value, text }) => {
    const stays = isDirty(); // then the person is asked first
    location.hash = inTenant(value || null, here().parts[0] ?? "sms");
    if (!stays) say(value ? `Working in ${text}` : "Working in all tenants");
  };
  const box = combobox({ id: "tenant", name: "tenant", find, value: tenantId ?? "", text: tenantId === null ? all.text : (known?.name ?? tenantId), clears: false, chosen });
  if (tenantId !== null && known === undefined) {
    // The session names only the first tenants. If the tenant does not exist, the page says so.
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
  if (!(await mayLeave())) return;
  try {
    await end();
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error; // the session had ended already
  }
  navigation++;
  leave();
  leave = () => {};
  history.replaceState(history.state, "", "#/sms");
  entry(logIn(entered), "Log in");
  say("Logged out");
}

// The pages before the log-in have no frame.
function entry(content, title) {
  forgetSession();
  app.replaceChildren(h("main", { class: "alone" }, h("p", { class: "brand" }, h("img", { src: "/portal/icon.svg", alt: "", width: "36", height: "36" }), h("span", {}, "SMS gateway")), content));
  document.title = `${title} · SMS gateway`;
  (app.querySelector("input") ?? app.querySelector("h1"))?.focus();
}

const toFirst = () => h("a", { class: "button", href: "#/sms" }, "To SMS/MMS");

const missing = () => problemPage("Not found", "There is nothing at this address, or it belongs to another tenant.", { actions: [toFirst()] });

const noTenant = (id) => problemPage("Not found", `There is no tenant “${id}”. It was deleted, or the address is wrong.`, { actions: [toFirst(), h("a", { class: "button", href: inTenant(null, "tenants") }, "All tenants")] });

const notAllowed = (title) => problemPage("Not allowed", `${title} are for system administrators.`, { actions: [toFirst()] });

// When the person stays on the page, the tenant switcher goes back too.
addEventListener("stayed", () => { document.querySelector(".switcher")?.replaceWith(switcher(here().tenant)); });
showUncaughtErrors();
keepSession(() => leadTo("#/sms"));
follow(navigate);
