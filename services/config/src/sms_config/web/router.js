// The address: #/<page>, or #/t/<tenant>/<page> for a system administrator who has chosen a tenant. Lists keep their scroll
// position when the person comes back to them.

import { forget, isDirty, mayLeave } from "./dirty.js";

// Parse the address: the tenant or null, the path of the page, and its query.
export function here(hash = location.hash) {
  const [path, ...query] = hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean).map(part);
  const tenant = parts[0] === "t" && parts.length > 1 ? parts[1] : null;
  return { tenant, parts: tenant === null ? parts : parts.slice(2), query: new URLSearchParams(query.join("?")) };
}

function part(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// The address of a page in the chosen tenant.
export const link = (path) => inTenant(here().tenant, path);

export const inTenant = (tenant, path) => `#/${tenant === null ? "" : `t/${encodeURIComponent(tenant)}/`}${path}`;

export function hash(path, query, tenant = here().tenant) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return inTenant(tenant, path) + (given.length ? `?${new URLSearchParams(given)}` : "");
}

// --- going somewhere

let arrive = () => {};
let at = 0; // which entry of the browser's history this is, counted by ourselves
let reverted = null;
let asking = false;

// Start: `arrived` is called now and for every further page.
export function follow(arrived) {
  arrive = arrived;
  history.scrollRestoration = "manual";
  at = history.state?.at ?? 0;
  mark();
  addEventListener("hashchange", changed);
  addEventListener("scroll", scrolled, { passive: true });
  arrive();
}

// Go to a page after something was done. The form is dropped.
export function go(path) {
  forget();
  leadTo(link(path));
}

// The same, to a list as the person left it.
export function goBack(path) {
  forget();
  leadTo(back(path));
}

export function leadTo(address) {
  if (location.hash !== address) {
    location.hash = address;
    return;
  }
  restored = scrollY;
  arrive();
}

const mark = () => history.replaceState({ ...history.state, at }, "");

async function changed() {
  if (reverted !== null) return reverted();
  const to = history.state?.at; // an entry that is new has none
  if (isDirty()) return askFirst(location.hash, to === undefined ? 1 : to - at, to === undefined);
  const top = to === undefined ? null : (tops.get(to) ?? null);
  at = to ?? at + 1;
  mark();
  arriveAt(top);
  return undefined;
}

// Keep the form and its address until the person has answered.
async function askFirst(wanted, by, isNew) {
  await revert(by);
  if (asking) return;
  asking = true;
  const left = await mayLeave();
  asking = false;
  if (!left) dispatchEvent(new Event("stayed"));
  else if (isNew) location.hash = wanted;
  else history.go(by);
}

async function revert(by) {
  if (by === 0) return;
  await new Promise((resolve) => {
    reverted = resolve;
    history.go(-by);
  });
  reverted = null;
}

// --- coming back to it

const tops = new Map(); // how far each entry of the history was scrolled
const listTops = new Map(); // and each list, by its address
let shown = null; // the page that is there, while the address may already be the next one's
let restored = 0;

function scrolled() {
  tops.set(at, scrollY);
  if (shown?.parts.length === 1) listTops.set(shown.address, scrollY);
}

function arriveAt(top) {
  const place = here();
  const fromOne = shown?.parts.length === 2 && place.parts.length === 1 && shown.parts[0] === place.parts[0];
  restored = top ?? (fromOne ? (listTops.get(location.hash) ?? 0) : 0);
  arrive();
}

export const scrollBack = () => scrollTo(0, restored);

// Remember this page, and if it is a list, its address as the one to come back to.
export function remember() {
  shown = { ...here(), address: location.hash };
  if (shown.parts.length === 1) sessionStorage.setItem(keyOf(shown.tenant, shown.parts[0]), shown.address);
}

// The address of a list as it was seen last: its page, search and filters.
export function back(path) {
  const [name] = path.split("?");
  return sessionStorage.getItem(keyOf(here().tenant, name)) ?? link(path);
}

const keyOf = (tenant, name) => `list ${tenant ?? ""}/${name}`;
