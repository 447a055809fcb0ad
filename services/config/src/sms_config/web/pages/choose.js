// Lets a system administrator who works in all tenants choose the tenant for a page.

import { combobox } from "../combobox.js";
import { h, icon } from "../dom.js";
import { findTenant } from "../lookups.js";
import { inTenant, link } from "../router.js";

const BUTTONS = 8;

// `what` is what belongs to a tenant, such as "Messages belong"; the choice leads to `path` in that tenant.
export function chooseTenant(session, path, what) {
  if (session.tenant_count === 0) {
    return h("div", { class: "empty card" }, icon("tenant"), h("h2", {}, "First, add a tenant"), h("p", {}, `${what} to a tenant, and there is none yet.`), h("a", { class: "button primary", href: link("tenants/new") }, "Add a tenant"));
  }
  const few = session.tenant_count <= BUTTONS;
  return h("div", { class: "empty card" }, icon("tenant"), h("h2", {}, "Choose a tenant"), h("p", {}, `${what} to one tenant. Which do you want to work in?`),
    few
      ? h("div", { class: "actions" }, session.tenants.map(({ id, name }) => h("a", { class: "button", href: inTenant(id, path) }, name)))
      : h("div", { class: "field pick" }, h("label", { for: "choose", class: "offscreen" }, "Tenant"), combobox({ id: "choose", find: findTenant, placeholder: "Name or id", chosen: ({ value }) => { location.hash = inTenant(value, path); } })));
}

// Whether a page about one tenant must ask for the tenant first.
export const needsTenant = ({ system, tenantId }) => system && tenantId === null;
