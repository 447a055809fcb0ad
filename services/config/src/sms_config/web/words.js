// What statuses, fields and choices are called in the portal. What codes mean is in codes.js.

import { dateTime } from "./dom.js";
import { hoursInWords } from "./hours.js";
import { SMS_FIELDS } from "./sms_fields.js";

export const STATUS = {
  accepted: ["Accepted", "busy", "Valid and stored; it will be worked on."],
  queued: ["Queued", "busy", "Waits for its turn or for another try."],
  held: ["Held", "busy", "Waits for the time it is to be sent at."],
  submitting: ["Submitting", "busy", "On its way to the carrier."],
  unknown: ["Unknown", "warn", "The carrier's answer was lost. Its receipt will tell; it is not sent again by itself."],
  submitted: ["Submitted", "busy", "The carrier took it. That is not delivered yet."],
  sent: ["Sent", "busy", "Handed to the next network."],
  undetermined: ["Undetermined", "warn", "No receipt came in time. It may well have arrived."],
  delivered: ["Delivered", "good", "Delivered, as far as the carrier can tell."],
  failed: ["Failed", "bad", "Not delivered."],
  rejected: ["Rejected", "bad", "Refused by the gateway before anything was sent."],
  expired: ["Expired", "bad", "Its time ran out before it was sent."],
  canceled: ["Canceled", "off", "Withdrawn by the PBX."],
  received: ["Received", "good", "Came in and was given to the PBX."],
};

// What is parked, and why.
export const PARKED = ["handler_failed", "account_unproved", "retries_exhausted", "webhook_unreadable", "webhook_not_handled", "unmatched_receipt", "not_json", "not_utf8", "unknown_type", "invalid_request", "unknown_config", "config_disabled", "unrouted_did", "account_unproved"];

export const KINDS = {
  dead_letters: "Dead letter",
  unrouted: "Unrouted message",
  tenants: "Tenant",
  trunks: "Trunk",
  sms_configs: "SMS configuration",
  inbound_rules: "Inbound rule",
  outbound_rules: "Outbound rule",
  extensions: "Extension",
  api_keys: "API key",
  users: "User",
};

export const FIELDS = {
  ...Object.fromEntries(SMS_FIELDS.map(({ name, label }) => [name, label])),
  enabled: "Enabled",
  provider_id: "Trunk",
  callback_username: "Callback user name",
  "callback.password": "Callback password",
  "webhook.token": "Webhook address",
  account_proof: "Proof of the lender's account",
  account: "Lender's account at the carrier",
  brand: "Brand",
  hostname: "Host name",
  dids: "Numbers",
  default_did: "Default number",
  country: "Country",
  foreign_without_plus: "Foreign numbers without +",
  time_zone: "Time zone",
  pbx_id: "PBX",
  default_config_id: "Default configuration",
  role: "Role",
  tenant_id: "Tenant",
  disabled: "Disabled",
  password: "Password",
  current_password: "Present password",
  username: "User name",
  token: "Set-up link",
  skip: "Page",
  top: "Page size",
  search: "Search",
  status: "Status",
  direction: "Direction",
  since: "From",
  until: "Until",
  number: "Number",
  sender: "From",
  did: "To number (DID)",
  to: "To",
  from: "From",
  at: "At",
  destination: "Destination",
  number_segments_per_minute: "Per minute, each number",
  segments_per_second: "Per second",
  account_segments_per_second: "Account, per second",
  campaign_segments_per_minute: "Campaign, per minute",
  campaign_id: "Campaign ID",
  brand_segments_per_day: "Brand, per day",
  brand_id: "Brand ID",
  config_id: "SMS configuration",
  caller_id: "Caller ID",
  strip_digits: "Strip digits",
  trunk_id: "Trunk",
  scopes: "Scopes",
  tenants: "Tenants",
  expires_at: "Expires",
  priority: "Priority",
  channels: "Channels",
  config_ids: "SMS configurations",
  did_numbers: "DID numbers",
  caller_mask: "Caller mask",
  office: "In office hours",
  outside: "Outside office hours",
  holiday: "On holidays",
  own_hours: "Own hours",
  prefixes: "Prefixes",
  lengths: "Numbers of digits",
  extensions: "Extensions",
  groups: "Groups",
  categories: "Categories",
  closed: "When closed",
  strategy: "Strategy",
  routes: "Routes",
  extension: "Extension",
  permission: "Permission",
  caller_ids: "Caller IDs",
  hours: "Office hours",
  holidays: "Holidays",
  blocked_senders: "Blocked senders",
  unlisted_extensions: "Extensions that are not listed",
  pools: "Numbers lent to tenants",
};

// A word of a carrier's, for wherever the field is named. Of two carriers with one name for it, the first one's counts.
export const learn = (name, label) => { FIELDS[name] ??= label; };

// What can become of an inbound text, and whether that needs a destination.
export const ACTIONS = {
  extension: "Extension",
  ring_group: "Ring group",
  queue: "Queue",
  number: "Number",
  voicemail: "Voicemail",
  discard: "Discard",
};

export const PERIODS = { office: "office hours", outside: "outside office hours", holiday: "holiday" };

// In a list, in a form, and what it means.
export const PERMISSIONS = {
  DISABLE: ["May not send", "May not send", "Texts of this extension are refused."],
  ALLOW: ["As itself", "May send as its own caller ID", "Then as the route's caller ID, the sender ID or the trunk's default number."],
  ALLOW_WITH_SENDER_ID: ["As the sender ID", "May send as the sender ID", "The SMS configuration's sender ID comes first, then the extension's own caller ID."],
};

export const CATEGORIES = { conversational: "Conversational", transactional: "Transactional", marketing: "Marketing", otp: "One-time password" };

const MOMENT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}/;

// Any value of the API as a person reads it.
export function inWords(value) {
  if (value === null || value === undefined || value === "") return "empty";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.length ? value.map(inWords).join(value.some((one) => typeof one === "object") ? "; " : ", ") : "none";
  if (typeof value !== "object") return MOMENT.test(value) ? dateTime(value) : String(value);
  if ("monday" in value) return hoursInWords(value).join("; ");
  const said = Object.entries(value).filter(([, part]) => part !== null && part !== "" && !(Array.isArray(part) && part.length === 0));
  return said.map(([name, part]) => `${(FIELDS[name] ?? name.replaceAll("_", " ")).toLowerCase()} ${inWords(part)}`).join(", ") || "empty";
}

export const ROLES = { system_admin: "System administrator", tenant_admin: "Tenant administrator" };
