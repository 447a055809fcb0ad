// The sender field of an SMS configuration. It warns when the sender is not one of the trunk's numbers.

import { ApiError, get } from "./api.js";
import { drawn } from "./declared_fields.js";
import { h } from "./dom.js";
import { bare, range } from "./masks.js";

const NAME = "A name, not a number: nobody can answer it, and many countries, the USA among them, take no names.";
const NOBODYS = "This is not one of the trunk's numbers. The carrier may refuse it, and answers do not come here.";

// `declared` is the field's declaration; `trunk` the form's field with the trunk; `item` what is edited, or null.
export function sender(declared, item, trunk) {
  const warning = h("p", { id: "field-sender_id-warning", class: "hint warn", "aria-live": "polite", hidden: true });
  const place = drawn(declared, item?.sender_id);
  const input = place.querySelector("input");
  input.setAttribute("aria-describedby", `${input.getAttribute("aria-describedby")} ${warning.id}`);
  place.append(warning);
  let asked = 0;
  const check = async () => {
    const mine = ++asked;
    const said = await wrong(input.value.trim(), trunk.querySelector('[name="provider_id"]').value, item?.tenant_id);
    if (mine !== asked) return;
    warning.textContent = said ?? "";
    warning.hidden = said === null;
  };
  input.addEventListener("change", check);
  trunk.addEventListener("change", check);
  check();
  return place;
}

// What is wrong with a sender on a trunk, or null.
async function wrong(text, trunkId, tenantId) {
  if (text === "") return null;
  if (/\p{L}/u.test(text)) return NAME;
  if (trunkId === "") return null;
  try {
    const { dids, pools } = await get(`trunks/${encodeURIComponent(trunkId)}`);
    const own = [dids, ...(pools ?? []).filter((pool) => pool.tenant_id === tenantId).map((pool) => pool.dids)].join(";");
    return contains(own, bare(text)) ? null : NOBODYS;
  } catch (error) {
    if (error instanceof ApiError) return null; // saving reports what is wrong with the trunk
    throw error;
  }
}

// Whether a number is in a pool. One without its country code is meant in the country of the pool's numbers.
const contains = (dids, number) =>
  dids.split(";").filter(Boolean).some((entry) => {
    const { first, last } = range(entry) ?? { first: bare(entry), last: bare(entry) };
    const whole = first.slice(0, Math.max(0, first.length - number.length)) + number;
    return whole.length === first.length && whole >= first && whole <= last;
  });
