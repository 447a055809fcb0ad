// Calls the REST API with the session's cookie. Every failure is an ApiError in the API's own words.

export class ApiError extends Error {
  constructor(status, body) {
    super(body.message);
    this.status = status;
    this.code = body.code;
    this.errors = body.errors ?? [];
    this.requestId = body.request_id;
  }
}

let csrfToken = "";
let tenant = null;

// Remember what every request needs: the session's CSRF token, and the tenant that is worked in, or null for all.
export function use({ csrf, tenantId }) {
  if (csrf !== undefined) csrfToken = csrf;
  if (tenantId !== undefined) tenant = tenantId;
}

// Return the decoded answer, null for an empty one. `query` drops what is empty; `inside` is another tenant than the one
// that is worked in, or null for all. What is `unattended` happens by itself and does not keep a session from ending.
export async function call(method, path, { body, query, version, inside = tenant, unattended = false } = {}) {
  const headers = {};
  if (unattended) headers["X-Unattended"] = "1";
  if (inside !== null) headers["X-Tenant"] = inside;
  if (method !== "GET" && csrfToken) headers["X-CSRF-Token"] = csrfToken;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (version !== undefined) headers["If-Match"] = `"${version}"`;
  const options = { method, headers, body: body === undefined ? undefined : JSON.stringify(body) };
  let response;
  try {
    response = await fetch(address(path, query), { ...options, credentials: "same-origin", cache: "no-store" });
  } catch {
    throw new ApiError(0, { code: "offline", message: "The gateway cannot be reached. Check the connection and try again." });
  }
  const text = await response.text();
  const answer = text ? decoded(text, response) : null;
  if (!response.ok) throw new ApiError(response.status, answer ?? { code: "unknown", message: response.statusText });
  return answer;
}

// Begin an answer that goes on, such as a stream of events.
export function open(path, { query, signal }) {
  const headers = { "X-Unattended": "1", ...(tenant === null ? {} : { "X-Tenant": tenant }) };
  return fetch(address(path, query), { headers, signal, credentials: "same-origin", cache: "no-store" });
}

export const get = (path, query, options) => call("GET", path, { ...options, query });

function address(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return `/api/v1/${path}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
}

function decoded(text, response) {
  try {
    return JSON.parse(text);
  } catch {
    const message = "Something between this page and the gateway gave an answer that is not the gateway's.";
    throw new ApiError(response.status, { code: "not_json", message });
  }
}
