// The part of the form that sets how fast an SMS configuration may send.

import { h } from "../dom.js";
import { field, text } from "../forms.js";

// Each row: name, label, hint, and the step of a number. A field without a step is text.
const OWN = [
  ["segments_per_second", "Per second", "Of this configuration.", "any"],
  ["burst", "Burst", "This many may be sent at once after a pause.", "1"],
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

// A shared limit with the carrier's own words for it.
function named([name, label, hint, step], carrier) {
  if (carrier === null) return [name, label, hint, step];
  const account = carrier.credentials.find((one) => one.name === carrier.account)?.label;
  const labels = { campaign_id: carrier.campaign_name, brand_id: carrier.brand_name };
  const hints = { account_segments_per_second: `Of all configurations with this ${account}.`, campaign_id: `As ${carrier.brand} names it.`, brand_id: `As ${carrier.brand} names it.` };
  return [name, labels[name] ?? label, hints[name] ?? hint, step];
}

// `carrier` is null while it is not known.
export function limitFields(limits, carrier) {
  const one = ([name, label, hint, step]) => field({ name: `limits.${name}`, label, hint, value: String(limits[name] ?? ""), autocomplete: "off", ...(step ? { type: "number", min: "0", step, placeholder: name === "burst" ? "1" : "Unlimited" } : { maxlength: "64", spellcheck: "false", placeholder: "None" }) });
  return h("fieldset", { class: "field limits" }, h("legend", {}, "Limits, in segments"),
    h("p", { class: "hint" }, "Leave empty to send as fast as the carrier accepts. Texts above a limit wait in the queue; none is lost."),
    h("div", { class: "fields" }, OWN.map(one)),
    h("p", { class: "hint" }, "These limits are shared by configurations on trunks of the same owner, and by those with the same secrets. If several set a limit for one account, campaign or brand, the lowest applies."),
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
