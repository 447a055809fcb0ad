// The address: #/<page>, or #/t/<tenant>/<page> for a system administrator who works in one tenant.

// What the address says: the tenant (or null), the page's path, and the page's own query.
export function here() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean).map(part);
  const tenant = parts[0] === "t" && parts.length > 1 ? parts[1] : null;
  return { tenant, parts: tenant === null ? parts : parts.slice(2), query: new URLSearchParams(query) };
}

function part(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// The address of a page in the tenant that is worked in now.
export const link = (path) => inTenant(here().tenant, path);

export const inTenant = (tenant, path) => `#/${tenant === null ? "" : `t/${encodeURIComponent(tenant)}/`}${path}`;

export function hash(path, query, tenant = here().tenant) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return inTenant(tenant, path) + (given.length ? `?${new URLSearchParams(given)}` : "");
}

export function go(path) {
  const address = link(path);
  if (location.hash === address) dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = address;
}
