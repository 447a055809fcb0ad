// Fields of a form by their declaration: drawn and read by their kind.

import { field, text, toggle } from "./forms.js";

export function drawn({ name, label, hint, kind, required }, value) {
  if (kind === "switch") return toggle({ name, label, hint, checked: value });
  const type = kind === "number" ? { type: "number", step: "any" } : {};
  return field({ name, label, hint, required, value: value ?? "", autocomplete: "off", ...type });
}

export function entered(data, { name, kind, required }) {
  if (kind === "switch") return data.get(name) === "on";
  const given = text(data, name) ?? (required ? "" : null);
  // What is no number goes to the API as it is, which says so.
  return kind === "number" && given && !Number.isNaN(Number(given)) ? Number(given) : given;
}
