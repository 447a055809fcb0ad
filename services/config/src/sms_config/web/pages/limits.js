// How fast an SMS configuration may send: a part of its form.

import { h } from "../dom.js";
import { field, text } from "../forms.js";

// Name, label, unit or meaning, and the step of the number; without a step it is a text.
const OWN = [
  ["segments_per_second", "Per second", "Of this configuration.", "any"],
  ["burst", "Burst", "May leave at once after a pause.", "1"],
  ["number_segments_per_minute", "Per minute, each number", "Of one sender number.", "any"],
];
const SHARED = [
  ["account_segments_per_second", "Account, per second", "Of all configurations of this account.", "any"],
  ["campaign_id", "Campaign ID", "As the carrier names it."],
  ["campaign_segments_per_minute", "Campaign, per minute", "Of all configurations of this campaign.", "any"],
  ["brand_id", "Brand ID", "As the carrier names it."],
  ["brand_segments_per_day", "Brand, per day", "A day begins at midnight Pacific time.", "1"],
];
const ALL = [...OWN, ...SHARED];

const UNLIMITED = Object.fromEntries(ALL.map(([name]) => [name, name === "burst" ? 1 : null]));

export const limited = (limits) => ALL.some(([name]) => (limits[name] ?? null) !== UNLIMITED[name]);

// The carrier's own names of what is shared.
function named([name, label, hint, step], carrier) {
  if (carrier === null) return [name, label, hint, step];
  const account = carrier.credentials.find((one) => one.name === carrier.account)?.label;
  const labels = { campaign_id: carrier.campaign_name, brand_id: carrier.brand_name };
  const hints = { account_segments_per_second: `Of all configurations with this ${account}.`, campaign_id: `As ${carrier.brand} names it.`, brand_id: `As ${carrier.brand} names it.` };
  return [name, labels[name] ?? label, hints[name] ?? hint, step];
}

// `carrier` null: not known yet.
export function limitFields(limits, carrier) {
  const one = ([name, label, hint, step]) => field({ name: `limits.${name}`, label, hint, value: String(limits[name] ?? ""), autocomplete: "off", ...(step ? { type: "number", min: "0", step, placeholder: name === "burst" ? "1" : "Unlimited" } : { maxlength: "64", spellcheck: "false", placeholder: "None" }) });
  return h("fieldset", { class: "field limits" }, h("legend", {}, "Limits, in segments"),
    h("p", { class: "hint" }, "Empty: as fast as the carrier takes them. What waits for its turn is queued, never lost."),
    h("div", { class: "fields" }, OWN.map(one)),
    h("p", { class: "hint" }, "Shared with other configurations on trunks of the same owner, or with the same secrets; of several limits of one name, the lowest holds."),
    h("div", { class: "fields" }, SHARED.map((limit) => one(named(limit, carrier)))),
    h("p", { id: "field-limits-error", class: "error" }));
}

export function readLimits(data) {
  const value = ([name, , , step]) => {
    const given = text(data, `limits.${name}`);
    if (given === null) return UNLIMITED[name];
    return step && !Number.isNaN(Number(given)) ? Number(given) : given;
  };
  return Object.fromEntries(ALL.map((limit) => [limit[0], value(limit)]));
}
