// Adding and editing one SMS configuration, in the order PortSIP's form has, with the carrier's steps beside it.

import { ApiError, call, get } from "../api.js";
import { copyButton } from "../clipboard.js";
import { picker } from "../combobox.js";
import { patch } from "../conflict.js";
import { drawn, entered } from "../declared.js";
import { confirm } from "../dialogs.js";
import { dateTime, h, time } from "../dom.js";
import { findTrunk } from "../finding.js";
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

const CREDENTIALS = [
  ["account_id", "Account ID (Bandwidth User ID)", "text"],
  ["application_id", "Application ID", "text"],
  ["api_token", "API Token", "text"],
  ["api_secret", "API Secret", "password"],
];
const MIN_PASSWORD = 8;
const POLICIES = [
  ["hold", "Wait for the receipt, never send again (recommended)"],
  ["resend", "Send again: the recipient may get the text twice"],
  ["fail", "Report it as failed, without sending again"],
];
// Declared fields that are not drawn, or not read, by their kind alone.
const DRAWN = {
  sender_id: (one, _, item, trunk) => sender(one, item, trunk),
  failure_policy: ({ name, label }, value) => field({ name, label, as: "select", value, children: POLICIES.map(([policy, words]) => option(policy, words)) }),
  limits: (_, value) => limitFields(value),
};
const READ = { limits: readLimits };
const ADVANCED = ["failure_policy", "limits"];

export async function smsForm(context) {
  const item = context.id === "new" ? null : await get(`sms/${encodeURIComponent(context.id)}`);
  // A trunk may be lent to several tenants, so the tenant comes first.
  if (item === null && needsTenant(context)) return [head("Add SMS configuration", null), chooseTenant(context.session, "sms/new", "SMS configurations belong")];
  const trunks = item === null ? (await get("trunks", { top: 2 })).items : null;
  const last = item === null ? null : await lastMessage(item);
  const health = item === null ? null : healthOf([item]);
  const top = head(item?.name ?? "Add SMS configuration", null, ...(item ? [state(item)] : []));
  if (item === null && trunks.length === 0) {
    return [top, h("div", { class: "empty card" }, h("h2", {}, "First, add a trunk"), h("p", {}, "An SMS configuration sends through a trunk, and there is none yet."), h("a", { class: "button primary", href: link("trunks/new") }, "Add a trunk"))];
  }
  return [
    h("nav", { class: "crumbs", "aria-label": "Back" }, h("a", { href: back("sms") }, "SMS/MMS")),
    top,
    h("div", { class: "columns" }, h("div", {}, h("div", { id: "webhook" }, webhookCard(item, last, health)), fields(item, trunks)), h("div", {}, item && testsCard(item, CREDENTIALS.map(([name]) => name)), h("div", { id: "steps" }, steps(item)))),
  ];
}

async function lastMessage(item) {
  try {
    return (await get("messages", { config_id: item.id, tenant_id: item.tenant_id, top: 1 })).items[0] ?? null;
  } catch (error) {
    if (error instanceof ApiError) return undefined; // the history is away; the form works without it
    throw error;
  }
}

function webhookCard(item, last, health) {
  if (item === null) {
    return h("section", { class: "card note", "aria-labelledby": "webhook-title" }, h("h2", { id: "webhook-title" }, "Webhook"), h("p", {}, "The address for Bandwidth appears here as soon as you save. The credentials may follow later: until then it is a draft."));
  }
  const seen = last === null ? "No message yet" : last === undefined ? null : h("span", {}, "Last message ", h("a", { href: hash(`messages/${encodeURIComponent(last.id)}`, { tenant: item.tenant_id }) }, time(last.updated_at)));
  return h(
    "section",
    { class: "card", "aria-labelledby": "webhook-title" },
    h("h2", { id: "webhook-title" }, "Webhook for receiving SMS/MMS"),
    item.webhook === null
      ? h("p", { class: "problem" }, "The address cannot be read with the present key ring. Rotate it to get a new one.")
      : h("div", { class: "joined" }, h("code", { class: "address", tabindex: "0", "aria-label": "Webhook address" }, item.webhook), copyButton(item.webhook, "webhook address", { label: "Copy webhook" })),
    h("div", { class: "actions" }, h("button", { type: "button", class: "button small", onclick: () => rotate(item, last, health) }, "New address…"), seen && h("span", { class: "minor" }, seen)),
    later(health, (known) => webhooksSeen(known.get(item.id))),
    item.account_proved === null ? null : h("p", { class: "hint" }, item.account_proved ? "The trunk is lent, and these credentials are proved: texts to every tenant's numbers on it may come here." : "The trunk is lent, and these credentials are not proved for the lender's account: only texts to this tenant's own numbers are taken here. Test credentials says why."),
    item.webhook_former_until && h("p", { class: "hint" }, "The address before this one is taken until ", time(item.webhook_former_until), "."),
  );
}

function fields(item, trunks) {
  const user = item?.callback?.username ?? null;
  const loaded = { provider_id: item?.provider_id, ...Object.fromEntries(SMS_FIELDS.map(({ name, unset }) => [name, item?.[name] ?? unset])) };
  const trunk = trunkField(item, trunks);
  const at = (wanted) => SMS_FIELDS.filter((one) => partOf(one) === wanted).map((one) => (DRAWN[one.name] ?? drawn)(one, loaded[one.name], item, trunk));
  const password = field({ name: "callback.password", label: "Callback password", autocomplete: "off", spellcheck: "false", placeholder: user ? "Leave empty to keep it" : "", hint: user ? `Set on ${dateTime(item.callback.password_changed_at)}. It is never shown again.` : `${MIN_PASSWORD} characters or more. Note it before you save: it is never shown again.`, after: h("button", { type: "button", class: "button", onclick: fill }, "Generate") });
  const save = async (data) => {
    const body = item === null ? plain(data) : changes(plain(data), loaded);
    Object.assign(body, secrets(data), callback(data, user));
    await store(item, body);
  };
  return form(
    { save, check, submit: item === null ? "Save" : "Save changes", secondary: [h("a", { class: "button", href: back("sms") }, "Back"), item && h("button", { type: "button", class: "button danger quiet push", onclick: () => remove(item) }, "Delete…")], label: "SMS configuration" },
    h("div", { class: "card" },
      at("first"),
      trunk,
      at("main"),
      CREDENTIALS.map(([name, label, type]) => credential(item, name, label, type)),
      at("last"),
    ),
    h("details", { class: "card", open: user !== null || limited(loaded.limits) },
      h("summary", {}, "Advanced"),
      h("p", { class: "hint" }, "Bandwidth can present a user name and a password at the webhook, besides its secret address. Enter the same ones there."),
      field({ name: "callback.username", label: "Callback user", value: user ?? "", autocomplete: "off", spellcheck: "false", hint: user ? "Empty: no user name and password are asked for any more." : null }),
      password,
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

function fill(event) {
  const form = event.target.closest("form");
  form.elements["callback.password"].value = generated();
  form.elements["callback.username"].value ||= "bandwidth";
  say("A password was generated; copy it to Bandwidth before you save");
}

function credential(item, name, label, type) {
  const set = item?.credentials_set[name];
  const hint = set?.set ? `Set on ${dateTime(set.changed_at)}${set.last4 ? `, ends in ${set.last4}` : ""}; leave empty to keep.` : null;
  return field({ name: `credentials.${name}`, label, type, hint, placeholder: set?.set ? "••••••••" : "", autocomplete: type === "password" ? "new-password" : "off", spellcheck: "false" });
}

const plain = (data) => ({ provider_id: text(data, "provider_id") ?? undefined, ...Object.fromEntries(SMS_FIELDS.map((one) => [one.name, (READ[one.name] ?? entered)(data, one)])) });

// Only a new password is held to the rule: one that is stored goes on working.
function check(data) {
  const password = text(data, "callback.password");
  return password !== null && password.length < MIN_PASSWORD ? [{ field: "callback.password", message: `must have ${MIN_PASSWORD} characters or more; Generate makes one` }] : [];
}

function secrets(data) {
  const given = CREDENTIALS.map(([name]) => [name, text(data, `credentials.${name}`)]).filter(([, value]) => value !== null);
  return given.length ? { credentials: Object.fromEntries(given) } : {};
}

function callback(data, user) {
  const name = text(data, "callback.username");
  const password = text(data, "callback.password");
  if (name === null && password === null) return user === null ? {} : { callback: null };
  if (name === user && password === null) return {};
  return { callback: { username: name, ...(password === null ? {} : { password }) } };
}

async function store(item, body) {
  if (item === null) {
    const made = await call("POST", "sms", { body });
    go(`sms/${made.id}`);
    say("Saved. Copy the webhook into Bandwidth.");
    return;
  }
  const shown = { ...FIELDS, ...Object.fromEntries(Object.keys(body).map((name) => [name, FIELDS[name] ?? name])) };
  const saved = await patch(`sms/${item.id}`, body, item.version, shown);
  go(`sms/${item.id}`);
  say(saved === null ? "Loaded again" : "Saved");
}

// The form beside it keeps what was typed.
async function rotate(item, last, health) {
  const text = "Bandwidth must be given the new address. The old one is still taken for a day, so that nothing is lost meanwhile.";
  if (!(await confirm({ title: "Make a new webhook address?", text, action: "Make a new address", dangerous: false }))) return;
  const now = await call("POST", `sms/${item.id}/rotate-webhook`, { body: {} });
  // Unless somebody else has changed it too, the form is based on what is stored now.
  const version = now.version === item.version + 1 ? now.version : item.version;
  Object.assign(item, { version, webhook: now.webhook, webhook_former_until: now.webhook_former_until });
  document.getElementById("webhook").replaceChildren(webhookCard(item, last, health));
  document.getElementById("steps").replaceChildren(steps(item));
  say("There is a new webhook address");
}

async function remove(item) {
  const text = `${item.name} is deleted with its credentials, and its webhook stops working at once.`;
  if (!(await confirm({ title: "Delete this SMS configuration?", text, action: "Delete" }))) return;
  await removeOf(`sms/${item.id}`, "sms", item.name);
}

function steps(item) {
  const done = item !== null && item.state !== "draft";
  return h(
    "aside",
    { class: "card steps", "aria-labelledby": "steps-title" },
    h("h2", { id: "steps-title" }, "In Bandwidth"),
    h(
      "ol",
      {},
      h("li", {}, h("strong", {}, "User ID. "), "In your account settings, note the User ID: it is the Account ID here."),
      h("li", {}, h("strong", {}, "API credentials. "), "Create OAuth2 client credentials. The client ID is the API token, the client secret the API secret. User names and passwords end on 2 December 2026."),
      h("li", {}, h("strong", {}, "Application. "), "Create a messaging application and link it to the location of your numbers. Note its Application ID."),
      h("li", {}, h("strong", {}, "Webhook. "), "Paste the webhook address as both callback URLs, for inbound and for status.", item?.webhook ? h("p", {}, copyButton(item.webhook, "webhook address for Bandwidth")) : null),
      h("li", {}, h("strong", {}, "Callback credentials. "), "Enter the user and password from Advanced, if you set them."),
      h("li", {}, h("strong", {}, "Status events. "), "Switch on at least message-delivered and message-failed."),
    ),
    h("p", { class: done ? "hint" : "note" }, done ? "Everything is set here. Send a text to one of the numbers to try it." : "An application that is linked to no location takes texts and loses them without a word."),
  );
}
