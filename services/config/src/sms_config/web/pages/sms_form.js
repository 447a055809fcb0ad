// Adds and edits one SMS configuration. The order is that of PortSIP's form; the carrier's steps are beside it.

import { ApiError, call, get } from "../api.js";
import { carrierOf, carriers, credentialFields, stepText, typedCredentials } from "../carriers.js";
import { copyButton } from "../clipboard.js";
import { picker } from "../combobox.js";
import { patch } from "../conflict.js";
import { drawn, entered } from "../declared_fields.js";
import { confirm } from "../dialogs.js";
import { dateTime, h, time } from "../dom.js";
import { findTrunk } from "../lookups.js";
import { changes, field, form, generated, option, text } from "../forms.js";
import { head } from "../lists.js";
import { back, go, hash, link } from "../router.js";
import { sender } from "../senders.js";
import { SMS_FIELDS } from "../sms_fields.js";
import { say } from "../toast.js";
import { FIELDS } from "../words.js";
import { chooseTenant, needsTenant } from "./choose.js";
import { limitFields, limited, readLimits } from "./limits.js";
import { state } from "./sms.js";
import { removeOf } from "./trunks.js";
import { healthOf, later, testsCard, webhooksSeen } from "./tests.js";

const MIN_PASSWORD = 8;
const POLICIES = [
  ["hold", "Wait for the receipt, never send again (recommended)"],
  ["resend", "Send again: the recipient may get the text twice"],
  ["fail", "Report it as failed, without sending again"],
];
// Declared fields that are drawn or read in their own way, not by their kind. `parts` are those of the page.
const DRAWN = {
  sender_id: (one, _, { item, trunk }) => sender(one, item, trunk),
  failure_policy: ({ name, label }, value) => field({ name, label, as: "select", value, children: POLICIES.map(([policy, words]) => option(policy, words)) }),
  limits: (_, value, { parts }) => limitsOf(value, parts),
};
const READ = { limits: readLimits };
const ADVANCED = ["failure_policy", "limits"];

export async function smsForm(context) {
  const item = context.id === "new" ? null : await get(`sms/${encodeURIComponent(context.id)}`);
  // A trunk may be lent to several tenants, so the tenant comes first.
  if (item === null && needsTenant(context)) return [head("Add SMS configuration", null), chooseTenant(context.session, "sms/new", "SMS configurations belong")];
  const known = await carriers();
  const trunks = item === null ? (await get("trunks", { top: 2 })).items : null;
  const last = item === null ? null : await lastMessage(item);
  const health = item === null ? null : healthOf([item]);
  const top = head(item?.name ?? "Add SMS configuration", null, ...(item ? [state(item)] : []));
  if (item === null && trunks.length === 0) {
    return [top, h("div", { class: "empty card" }, h("h2", {}, "First, add a trunk"), h("p", {}, "An SMS configuration sends through a trunk, and there is none yet."), h("a", { class: "button primary", href: link("trunks/new") }, "Add a trunk"))];
  }
  const parts = { known, carrier: firstCarrier(item, trunks, known), all: [] };
  return [
    h("nav", { class: "crumbs", "aria-label": "Back" }, h("a", { href: back("sms") }, "SMS/MMS")),
    top,
    h("div", { class: "columns" }, h("div", {}, h("div", { id: "webhook" }, webhookCard(item, last, health, parts)), fields(item, trunks, parts)), h("div", {}, item && testsCard(item, (data) => typedCredentials(parts.carrier, data, item.credentials_shown)), h("div", { id: "steps" }, part(parts, (carrier) => steps(item, carrier))))),
  ];
}

// The carrier of the configuration; of a new one only if there is no choice, else null.
function firstCarrier(item, trunks, known) {
  if (item !== null) return carrierOf(known, item.carrier);
  return trunks.length === 1 ? carrierOf(known, trunks[0].carrier) : known.length === 1 ? known[0] : null;
}

// A part of the page that depends on the trunk's carrier. `make` draws it for a carrier, or for null.
function part(parts, make) {
  const element = h("div", { class: "drawn" }, make(parts.carrier));
  parts.all.push((carrier) => element.replaceChildren(...[make(carrier)].flat().filter(Boolean)));
  return element;
}

// Draw what depends on the carrier for the trunk that was chosen.
async function follow(parts, trunk) {
  const chosen = () => trunk.querySelector('[name="provider_id"]').value;
  const id = chosen();
  const carrier = id ? carrierOf(parts.known, (await get(`trunks/${encodeURIComponent(id)}`)).carrier) : null;
  if (carrier === parts.carrier || chosen() !== id) return;
  parts.carrier = carrier;
  for (const draw of parts.all) draw(carrier);
}

// Draws the limits. When the carrier changes, the labels change and what was typed stays.
function limitsOf(value, parts) {
  let shown = null;
  return part(parts, (carrier) => {
    shown = limitFields(shown === null ? value : readLimits(new FormData(shown.closest("form"))), carrier);
    return shown;
  });
}

async function lastMessage(item) {
  try {
    return (await get("messages", { config_id: item.id, tenant_id: item.tenant_id, top: 1 })).items[0] ?? null;
  } catch (error) {
    if (error instanceof ApiError) return undefined; // the history cannot be read; the form works without it
    throw error;
  }
}

function webhookCard(item, last, health, parts) {
  if (item === null) {
    return h("section", { class: "card note", "aria-labelledby": "webhook-title" }, h("h2", { id: "webhook-title" }, "Webhook"), h("p", {}, "The address for the carrier appears here when you save. You can add the credentials later; until then this is a draft."));
  }
  const seen = last === null ? "No message yet" : last === undefined ? null : h("span", {}, "Last message ", h("a", { href: hash(`messages/${encodeURIComponent(last.id)}`, { tenant: item.tenant_id }) }, time(last.updated_at)));
  return h(
    "section",
    { class: "card", "aria-labelledby": "webhook-title" },
    h("h2", { id: "webhook-title" }, "Webhook for receiving SMS/MMS"),
    item.webhook === null
      ? h("p", { class: "problem" }, "The stored address cannot be decrypted with the present key ring. Make a new one.")
      : h("div", { class: "joined" }, h("code", { class: "address", tabindex: "0", "aria-label": "Webhook address" }, item.webhook), copyButton(item.webhook, "webhook address", { label: "Copy webhook" })),
    h("div", { class: "actions" }, h("button", { type: "button", class: "button small", onclick: () => rotate(item, last, health, parts) }, "New address…"), seen && h("span", { class: "minor" }, seen)),
    later(health, (known) => webhooksSeen(known.get(item.id))),
    item.account_proved === null ? null : h("p", { class: "hint" }, item.account_proved ? "The trunk is lent. The carrier accepted these credentials for the lender's account, so texts to all tenants' numbers on the trunk are accepted here." : "The trunk is lent. These credentials are not proved to be for the lender's account, so only texts to this tenant's own numbers are accepted here. Test credentials says why."),
    item.webhook_former_until && h("p", { class: "hint" }, "The former address is accepted until ", time(item.webhook_former_until), "."),
  );
}

function fields(item, trunks, parts) {
  const user = item?.callback?.username ?? null;
  const loaded = { provider_id: item?.provider_id, ...Object.fromEntries(SMS_FIELDS.map(({ name, unset }) => [name, item?.[name] ?? unset])) };
  const trunk = trunkField(item, trunks);
  const at = (wanted) => SMS_FIELDS.filter((one) => partOf(one) === wanted).map((one) => (DRAWN[one.name] ?? drawn)(one, loaded[one.name], { item, trunk, parts }));
  if (item === null && parts.known.length > 1) trunk.addEventListener("change", () => follow(parts, trunk));
  const save = async (data) => {
    const body = item === null ? plain(data) : changes(plain(data), loaded);
    Object.assign(body, typedCredentials(parts.carrier, data, item?.credentials_shown), callback(data, user));
    await store(item, body, parts);
  };
  return form(
    { save, check, submit: item === null ? "Save" : "Save changes", secondary: [h("a", { class: "button", href: back("sms") }, "Back"), item && h("button", { type: "button", class: "button danger quiet push", onclick: () => remove(item) }, "Delete…")], label: "SMS configuration" },
    h("div", { class: "card" },
      at("first"),
      trunk,
      at("main"),
      part(parts, (carrier) => credentials(item, carrier)),
      at("last"),
    ),
    h("details", { class: "card", open: user !== null || limited(loaded.limits) },
      h("summary", {}, "Advanced"),
      part(parts, (carrier) => callbackFields(item, user, carrier)),
      at("advanced"),
    ),
  );
}

// Which part of the form a declared field stands in.
function partOf({ name, kind }) {
  if (name === "name") return "first";
  if (ADVANCED.includes(name)) return "advanced";
  return kind === "switch" ? "last" : "main";
}

function trunkField(item, trunks) {
  const chosen = item === null ? (trunks.length === 1 ? trunks[0] : null) : { id: item.provider_id, name: item.provider_name };
  return picker({ name: "provider_id", label: "Trunk", required: true, value: chosen?.id ?? "", text: chosen?.name ?? "", find: findTrunk(item?.tenant_id), placeholder: "Choose a trunk" });
}

function credentials(item, carrier) {
  if (carrier === null) return h("p", { class: "hint" }, "Choose a trunk first. Its carrier decides which credentials are needed.");
  const set = ({ changed_at: at, last4 }) => `Set on ${dateTime(at)}${last4 ? `, ends in ${last4}` : ""}; leave empty to keep.`;
  return credentialFields(carrier, { states: item?.credentials_set, shown: item?.credentials_shown, set });
}

function callbackFields(item, user, carrier) {
  if (!carrier?.callback) return [];
  const generate = h("button", { type: "button", class: "button", onclick: (event) => fill(event, carrier) }, "Generate");
  return [
    h("p", { class: "hint" }, `${carrier.brand} can send a user name and a password to the webhook. Enter the same ones in its own pages.`),
    field({ name: "callback.username", label: "Callback user", value: user ?? "", autocomplete: "off", spellcheck: "false", hint: user ? "Empty it to ask for no user name and password any more." : null }),
    field({ name: "callback.password", label: "Callback password", autocomplete: "off", spellcheck: "false", placeholder: user ? "Leave empty to keep it" : "", hint: user ? `Set on ${dateTime(item.callback.password_changed_at)}. It is never shown again.` : `${MIN_PASSWORD} characters or more. Note it before you save: it is never shown again.`, after: generate }),
  ];
}

function fill(event, carrier) {
  const form = event.target.closest("form");
  form.elements["callback.password"].value = generated();
  form.elements["callback.username"].value ||= carrier.name;
  say(`A password was generated; copy it to ${carrier.brand} before you save`);
}

const plain = (data) => ({ provider_id: text(data, "provider_id") ?? undefined, ...Object.fromEntries(SMS_FIELDS.map((one) => [one.name, (READ[one.name] ?? entered)(data, one)])) });

// Only a new password is checked. A stored one that is shorter keeps working.
function check(data) {
  const password = text(data, "callback.password");
  return password !== null && password.length < MIN_PASSWORD ? [{ field: "callback.password", message: `must have ${MIN_PASSWORD} characters or more; Generate makes one` }] : [];
}

function callback(data, user) {
  const name = text(data, "callback.username");
  const password = text(data, "callback.password");
  if (name === null && password === null) return user === null ? {} : { callback: null };
  if (name === user && password === null) return {};
  return { callback: { username: name, ...(password === null ? {} : { password }) } };
}

async function store(item, body, parts) {
  if (item === null) {
    const made = await call("POST", "sms", { body });
    go(`sms/${made.id}`);
    say(`Saved. Copy the webhook into ${carrierOf(parts.known, made.carrier)?.brand ?? made.provider_brand}.`);
    return;
  }
  const shown = { ...FIELDS, ...Object.fromEntries(Object.keys(body).map((name) => [name, FIELDS[name] ?? name])) };
  const saved = await patch(`sms/${item.id}`, body, item.version, shown);
  go(`sms/${item.id}`);
  say(saved === null ? "Loaded again" : "Saved");
}

// Draws only the webhook again, so that the form keeps what was typed.
async function rotate(item, last, health, parts) {
  const text = "Enter the new address at the carrier. The old one is accepted for another day, so that no text is lost.";
  if (!(await confirm({ title: "Make a new webhook address?", text, action: "Make a new address", dangerous: false }))) return;
  const now = await call("POST", `sms/${item.id}/rotate-webhook`, { body: {} });
  // If nobody else changed it meanwhile, the form goes on from the stored version.
  const version = now.version === item.version + 1 ? now.version : item.version;
  Object.assign(item, { version, webhook: now.webhook, webhook_former_until: now.webhook_former_until });
  document.getElementById("webhook").replaceChildren(webhookCard(item, last, health, parts));
  document.getElementById("steps").replaceChildren(...[steps(item, parts.carrier)].filter(Boolean));
  say("There is a new webhook address");
}

async function remove(item) {
  const text = `${item.name} is deleted with its credentials, and its webhook stops working at once.`;
  if (!(await confirm({ title: "Delete this SMS configuration?", text, action: "Delete" }))) return;
  await removeOf(`sms/${item.id}`, "sms", item.name);
}

function steps(item, carrier) {
  if (carrier === null || carrier.setup.length === 0) return null;
  const done = item !== null && item.state !== "draft";
  const user = item?.callback ? ["the user ", h("code", {}, item.callback.username)] : "the callback user";
  const one = ({ title, text: words }) => h("li", {},
    h("strong", {}, `${title}. `),
    stepText(words, { webhook: "the webhook address", user }),
    words.includes("{webhook}") && item?.webhook ? h("p", {}, copyButton(item.webhook, `webhook address for ${carrier.brand}`)) : null);
  const note = done ? "Everything is set here. Send a text to one of the numbers to try it." : carrier.setup_note;
  return h(
    "aside",
    { class: "card steps", "aria-labelledby": "steps-title" },
    h("h2", { id: "steps-title" }, `In ${carrier.brand}`),
    h("ol", {}, carrier.setup.map(one)),
    note && h("p", { class: done ? "hint" : "note" }, note),
  );
}
