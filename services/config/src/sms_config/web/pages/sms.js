// The list of SMS configurations.

import { call } from "../api.js";
import { carriers } from "../carriers.js";
import { copyButton } from "../clipboard.js";
import { badge, h } from "../dom.js";
import { addButton, empty, head, nothingFound, paging, read, readCounted, search, table } from "../lists.js";
import { link } from "../router.js";
import { say } from "../toast.js";
import { FIELDS } from "../words.js";
import { healthBadge, healthOf, lastWebhook, later } from "./tests.js";

export async function sms({ query, system, tenantId, session }) {
  await carriers(); // the labels of the credentials that a draft lacks
  const found = await readCounted("sms", query, { orderby: "name", key: (item) => item.name });
  const lead = "Each one sends and receives texts through a trunk, with its own credentials and webhook.";
  const top = head("SMS/MMS", lead, addButton("sms/new", "Add"));
  if (found.count === 0 && !query.get("search")) return [top, await first(session, system)];
  const health = healthOf(found.items);
  const columns = [
    { title: "Name", cell: (item) => h("a", { href: link(`sms/${item.id}`) }, item.name) },
    { title: "Trunk", cell: (item) => [item.provider_name, h("span", { class: "minor" }, item.provider_brand)] },
    { title: "Sender ID", cell: (item) => item.sender_id ?? h("span", { class: "minor" }, "Trunk's default"), kind: "number" },
    ...(system && tenantId === null ? [{ title: "Tenant", cell: (item) => item.tenant_id }] : []),
    { title: "Enabled", cell: enabled },
    { title: "Webhook", cell: webhook },
    { title: "Last webhook", cell: (item) => later(health, (known) => lastWebhook(known.get(item.id))) },
    { title: "Health", cell: (item) => (item.state === "active" ? later(health, (known) => doing(item, known.get(item.id))) : state(item)) },
  ];
  return [
    top,
    search({ path: "sms", query, label: "Name or sender ID" }),
    found.items.length ? table({ caption: "SMS configurations", columns, items: found.items, open: (item) => `sms/${item.id}` }) : nothingFound("sms", { query, found }),
    paging({ path: "sms", query, found }),
  ];
}

// The state in words, and the credentials that a draft lacks.
export function state(item) {
  if (item.state === "active") return badge("Active", "good");
  if (item.state === "disabled") return badge("Disabled", "off");
  const missing = item.missing.map((name) => FIELDS[`credentials.${name}`] ?? name).join(", ");
  return h("span", { class: "stack" }, badge("Draft", "warn"), h("span", { class: "minor" }, `Needs ${missing}`));
}

// An active configuration shows its health, by its webhooks; any other shows its state.
const doing = (item, health) => (item.state === "active" ? healthBadge(health) : state(item));

function enabled(item) {
  const button = h("button", { type: "button", role: "switch", class: "switch", "aria-checked": String(item.enabled), "aria-label": `${item.name} enabled` });
  button.addEventListener("click", async () => {
    const on = button.getAttribute("aria-checked") !== "true";
    const now = await call("POST", `sms/${item.id}/${on ? "enable" : "disable"}`);
    button.setAttribute("aria-checked", String(now.enabled));
    say(`${item.name} ${now.enabled ? "enabled" : "disabled"}`);
    const health = await healthOf([now]);
    button.closest("tr")?.querySelector('[data-label="Health"] > div').replaceChildren(doing(now, health.get(now.id)));
  });
  button.addEventListener("dblclick", (event) => event.stopPropagation());
  return button;
}

const webhook = (item) =>
  item.webhook === null
    ? h("span", { class: "minor" }, "Unreadable: make a new one")
    : copyButton(item.webhook, `webhook address of ${item.name}`);

// For an empty list: what to do first.
async function first(session, system) {
  const none = { skip: null, search: null };
  const trunks = await read("trunks", new Map(), { ...none, top: 1 });
  if (system && session.tenant_count === 0) {
    return empty({ shape: "tenant", title: "First, add a tenant", text: "A tenant is a customer of the PBX. Its trunks, numbers and SMS configurations belong to it.", action: addButton("tenants/new", "Add a tenant") });
  }
  if (trunks.count === 0) {
    return empty({ shape: "trunk", title: "First, add a trunk", text: "A trunk is the connection to the carrier, with the numbers that came with it. Then an SMS configuration can use it.", action: addButton("trunks/new", "Add a trunk") });
  }
  return empty({ shape: "config", title: "Add the first SMS configuration", text: "You need the credentials of your account at the carrier. You can save a draft without them and get the webhook address at once.", action: addButton("sms/new", "Add an SMS configuration") });
}
