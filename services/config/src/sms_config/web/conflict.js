// Saving an object that somebody else has changed: shows the differences and lets the person decide.

import { ApiError, call, get } from "./api.js";
import { show } from "./dialogs.js";
import { dateTime, h } from "./dom.js";
import { inWords } from "./words.js";

// Patch an object with `body`, based on `version`. Resolves to the object as it is now, or null to load it again.
export async function patch(path, body, version, labels) {
  try {
    return await call("PATCH", path, { body, version });
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== "version_conflict") throw error;
    const stored = await get(path);
    const choice = await choose(error, stored, body, labels);
    if (choice === "mine") return patch(path, body, stored.version, labels);
    if (choice === "theirs") return null;
    throw new ApiError(409, { code: "not_saved", message: "Not saved: somebody else changed this meanwhile." });
  }
}

function choose(error, stored, body, labels) {
  const rows = error.errors.map(({ field, message }) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, labels[field] ?? field, h("p", { class: "hint" }, when(message))),
      h("td", { "data-label": "Stored now" }, field in stored || hidden(field) ? value(stored[field], field) : "changed"),
      h("td", { "data-label": "Yours" }, field in body ? value(body[field], field) : "not changed by you"),
    ),
  );
  return new Promise((resolve) => {
    const close = (answer) => () => dialog.close(answer);
    const dialog = h(
      "dialog",
      { class: "wide", "aria-labelledby": "conflict-title" },
      h("h2", { id: "conflict-title" }, "Somebody else changed this meanwhile"),
      h("p", {}, "Take what is stored now, or save your changes over it. Fields you did not change stay as they are stored."),
      h("div", { class: "table" }, h("table", {}, h("caption", { class: "offscreen" }, "What changed"), h("thead", {}, h("tr", {}, ["Field", "Stored now", "Yours"].map((title) => h("th", { scope: "col" }, title)))), h("tbody", {}, rows))),
      h(
        "div",
        { class: "actions end" },
        h("button", { type: "button", class: "button", onclick: close("back") }, "Back to the form"),
        h("button", { type: "button", class: "button", onclick: close("theirs") }, "Reload"),
        h("button", { type: "button", class: "button danger", onclick: close("mine") }, "Overwrite"),
      ),
    );
    show(dialog, () => resolve(dialog.returnValue));
  });
}

// The API writes the time in ISO form at the end of its sentence.
const when = (message) => message.replace(/ at (\d{4}-\d{2}-\d{2}T\S+)$/, (_, moment) => `, ${dateTime(moment)}`);

const hidden = (field) => /credentials|password|secret/.test(field);

function value(found, field) {
  if (hidden(field)) return "secret";
  return inWords(found);
}
