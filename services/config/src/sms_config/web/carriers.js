// What the carriers declare of themselves. Forms are drawn from it, so no page knows a carrier's words.

import { get } from "./api.js";
import { field, text } from "./forms.js";
import { learn } from "./words.js";

let asked = null;

// All carriers, by name. They do not change while the gateway runs.
export function carriers() {
  asked ??= ask().catch((error) => {
    asked = null;
    throw error;
  });
  return asked;
}

async function ask() {
  const { items } = await get("carriers", {}, { inside: null });
  for (const { credentials } of items) for (const { name, label } of credentials) learn(`credentials.${name}`, label);
  return items;
}

export const carrierOf = (known, name) => known.find((one) => one.name === name) ?? null;

// The inputs for a carrier's credentials. `states` and `shown` are what is stored of each; `set` says it in words.
export function credentialFields(carrier, { states = {}, shown = {}, set }) {
  return carrier.credentials.map(({ name, label, known_as: known, secret, hint }) => {
    const value = shown[name];
    const stored = value === undefined && states[name]?.set ? set(states[name]) : null;
    return field({
      name: `credentials.${name}`,
      label: known ? `${label} (${known})` : label,
      hint: [hint, stored].filter(Boolean).join(" ") || null,
      type: secret ? "password" : "text",
      value: value ?? "",
      placeholder: stored ? "••••••••" : "",
      autocomplete: secret ? "new-password" : "off",
      spellcheck: "false",
    });
  });
}

// What was typed into them. One that is shown and was emptied is removed; any other that is empty stays as it is.
export function typedCredentials(carrier, data, shown = {}) {
  const given = (carrier?.credentials ?? [])
    .map(({ name }) => [name, text(data, `credentials.${name}`)])
    .filter(([name, value]) => value !== (shown[name] ?? null));
  return given.length ? { credentials: Object.fromEntries(given) } : {};
}

// A set-up step's text, with what its placeholders stand for.
export function stepText(words, { webhook, user }) {
  const placed = { webhook, callback_user: user };
  return words.split(/\{(webhook|callback_user)\}/).map((part, place) => (place % 2 ? placed[part] : part));
}
