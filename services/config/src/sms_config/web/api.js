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
let recover = async () => false;
let trying = false;

// Remember what every request needs: the session's CSRF token, and the tenant that is worked in, or null for all.
export function use({ csrf, tenantId }) {
  if (csrf !== undefined) csrfToken = csrf;
  if (tenantId !== undefined) tenant = tenantId;
}

// Ask `work` about an error before it is told: it resolves to whether the request can be repeated now.
export function recoverBy(work) {
  recover = work;
}

// Return the decoded answer, null for an empty one. `query` drops what is empty; `inside` is another tenant than the one
// that is worked in, or null for all. What is `unattended` happens by itself: it does not keep a session from ending, and
// asks nobody to log in. `bare`: no recovery either.
export async function call(method, path, options = {}) {
  const inside = options.inside === undefined ? tenant : options.inside;
  const request = { ...options, method, path, inside };
  try {
    return await send(request);
  } catch (error) {
    if (options.unattended || options.bare || !(await recover(error))) throw error;
    return send(request);
  }
}

// Learn what the API has against what `work` would change, and change nothing: resolves to its errors, field by field.
export async function refusals(work) {
  trying = true;
  try {
    await work();
  } catch (error) {
    if (error instanceof Tried) return [];
    if (error instanceof ApiError && error.errors.length) return error.errors;
    throw error;
  } finally {
    trying = false;
  }
  return [];
}

class Tried extends Error {}

async function send({ method, path, body, query, version, inside, unattended = false }) {
  const headers = {};
  const trial = trying && method !== "GET";
  if (trial) headers["X-Trial"] = "1";
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
  if (!response.ok) throw new ApiError(response.status, answer ?? { code: "unknown", message: response.statusText || `The gateway answered ${response.status} without a word.` });
  if (trial) throw new Tried(); // what would have come next must not
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
