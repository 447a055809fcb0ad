// The tests of an SMS configuration and their results, and its health: the last webhook and how it was answered.

import { ApiError, call, get } from "../api.js";
import { badge, h, time } from "../dom.js";
import { say } from "../toast.js";

const STEPS = {
  complete: "Credentials",
  token: "Token",
  account: "Account",
  name: "Name",
  connection: "Connection",
  certificate: "Certificate",
  route: "Route to ingress",
  challenge: "Without credentials",
  answer: "Answer",
};
const HEALTH = {
  ok: ["OK", "good"],
  never_seen: ["Never seen", "warn"],
  failing: ["Failing", "bad"],
  draft: ["Draft", "off"],
  disabled: ["Disabled", "off"],
};
const RESULTS = { challenged: "without credentials", unauthorized: "with wrong credentials", unreadable: "not understood", not_handled: "of no use here" };

// The card with both tests. `typed(data)` is what of the form is tested as it is typed.
export function testsCard(item, typed) {
  const place = h("div", { role: "status", "aria-label": "What the test found" });
  const button = (label, path, body) => {
    const element = h("button", { type: "button", class: "button", onclick: () => run(element, place, label, `sms/${item.id}/${path}`, body) }, label);
    return element;
  };
  return h(
    "section",
    { class: "card", "aria-labelledby": "tests-title" },
    h("h2", { id: "tests-title" }, "Test it"),
    h("p", { class: "hint" }, "Credentials: what is typed is tested in place of what is saved, and nothing is sent. Webhook: it is called as the carrier would, and no message comes in."),
    h("div", { class: "actions" }, button("Test credentials", "test-credentials", () => typed(new FormData(document.querySelector('form[aria-label="SMS configuration"]')))), button("Test webhook", "test-webhook", () => undefined)),
    place,
  );
}

async function run(button, place, label, path, body) {
  if (button.disabled) return;
  button.disabled = true;
  place.replaceChildren(h("p", { class: "minor" }, "Testing…"));
  try {
    const found = await call("POST", path, { body: body() });
    place.replaceChildren(steps(found.steps));
    say(`${label}: ${found.ok ? "all is well" : "something is wrong"}`);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    place.replaceChildren(h("p", { class: "problem" }, error.message));
  } finally {
    button.disabled = false;
  }
}

const steps = (found) =>
  h("ol", { class: "timeline" }, found.map(({ step, ok, code, says }) => {
    const [words, tone] = !ok ? ["Failed", "bad"] : code === null ? ["OK", "good"] : ["Note", "warn"];
    return h("li", { class: tone }, h("div", { class: "split" }, h("strong", {}, STEPS[step] ?? step), badge(words, tone)), h("p", {}, says));
  }));

// An empty element that is filled when `promise` resolves.
export function later(promise, show) {
  const place = h("span", { class: "block" });
  promise.then((found) => place.replaceChildren(...[show(found)].flat().filter(Boolean)));
  return place;
}

// The health of SMS configurations, by their ids; empty while it is unknown.
export async function healthOf(items) {
  if (items.length === 0) return new Map();
  try {
    const found = await get("sms-health", { ids: items.map(({ id }) => id).join(",") });
    return new Map(found.items.map((one) => [one.config_id, one]));
  } catch (error) {
    if (error instanceof ApiError) return new Map(); // the list works without it
    throw error;
  }
}

export function healthBadge(health) {
  if (!health) return h("span", { class: "minor" }, "Unknown");
  const [words, tone] = HEALTH[health.health] ?? [health.health, "off"];
  const explained = health.health === "failing" || health.health === "never_seen";
  return h("span", { class: "stack" }, badge(words, tone), explained ? h("span", { class: "minor clip", title: health.says }, health.says) : null);
}

export const lastWebhook = (health) => (health?.last_webhook ? time(health.last_webhook.at) : h("span", { class: "minor" }, "None yet"));

// The last webhooks in full, for the form.
export function webhooksSeen(health) {
  if (!health) return null;
  const { last_webhook: taken, last_refused: refused } = health;
  const wrong = health.health === "failing";
  return h(
    "div",
    { class: wrong ? "problem" : "note" },
    h("p", {}, wrong ? health.says : taken ? ["Last webhook ", time(taken.at, { exact: true }), `: ${inWords(taken)}`] : "No webhook has come yet."),
    wrong && taken ? h("p", {}, "Last accepted ", time(taken.at, { exact: true }), `: ${inWords(taken)}`) : null,
    refused && wrong ? h("p", {}, "Last refused ", time(refused.at, { exact: true }), `: ${inWords(refused)}`) : null,
  );
}

function inWords({ kind, result, status, source }) {
  const how = RESULTS[result] ? `, ${RESULTS[result]}` : "";
  return `${kind ?? "webhook"}${how}, answered ${status}${source ? `, from ${source}` : ""}.`;
}
