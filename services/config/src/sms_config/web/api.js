// Calls the REST API with the session cookie. Every failure is an ApiError with the message of the API.

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
let dryRunning = false;

// Set what every request sends: the CSRF token of the session, and the chosen tenant, or null for all.
export function use({ csrf, tenantId }) {
  if (csrf !== undefined) csrfToken = csrf;
  if (tenantId !== undefined) tenant = tenantId;
}

// Let `work` handle an error before it is thrown: it resolves to whether the request can be repeated now.
export function recoverBy(work) {
  recover = work;
}

// Return the decoded answer, or null for an empty one. Empty values of `query` are dropped. `inside` is another tenant
// than the chosen one, or null for all. `unattended` requests are automatic: they do not keep the session alive and ask
// nobody to log in. `bare`: no recovery.
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

// Run `work` without changing anything. Resolves to the errors of the API, field by field.
export async function dryRun(work) {
  dryRunning = true;
  try {
    await work();
  } catch (error) {
    if (error instanceof DryRunDone) return [];
    if (error instanceof ApiError && error.errors.length) return error.errors;
    throw error;
  } finally {
    dryRunning = false;
  }
  return [];
}

class DryRunDone extends Error {}

async function send({ method, path, body, query, version, inside, unattended = false }) {
  const headers = {};
  const isDryRun = dryRunning && method !== "GET";
  if (isDryRun) headers["X-Trial"] = "1";
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
  if (isDryRun) throw new DryRunDone(); // so that `work` does not go on
  return answer;
}

// Open an answer that stays open, such as a stream of events.
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
