// Fields of a form by their declaration: drawn and read by their kind.

import { field, text, toggle } from "./forms.js";

export function drawn({ name, label, hint, kind, required }, value) {
  if (kind === "switch") return toggle({ name, label, hint, checked: value });
  return field({ name, label, hint, required, value: value ?? "", autocomplete: "off" });
}

export function entered(data, { name, kind, required }) {
  if (kind === "switch") return data.get(name) === "on";
  return text(data, name) ?? (required ? "" : null);
}
