"""The OpenAPI 3.1 document, made from the route table and the models."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from sms_common.carriers.declaration import Declaration
from sms_config.http.requests import SESSION_COOKIE
from sms_config.http.routes import ApiRoute
from sms_config.model.problems import ErrorBody
from sms_config.model.query import MAX_SKIP, MAX_TOP, Columns

Schema = dict[str, Any]

_REFERENCE = "#/components/schemas/{model}"
_DESCRIPTION = """\
Control plane of the SMS/MMS gateway: tenants, trunks with their numbers, SMS configurations, inbound and
outbound rules, extensions, office hours, users, API keys, message history and audit.

A caller is an API key (`Authorization: Bearer`) or a person with a session (a cookie; every change needs the header
`X-CSRF-Token`, whose value `GET /api/v1/session` gives). The header `X-Tenant` limits a request to one tenant.

Lists take `filter`, `search`, `orderby`, `skip` and `top`, or any filterable field as a parameter of its own
(`?enabled=true`), and answer `count` and `items`. Beyond some thousands they are not counted to the end: then `more` is
true, and there are at least `count`. A filter is conditions joined with `and`, such as
`enabled eq true and name contains 'sales'`; operators are eq, ne, gt, ge, lt, le, contains, startswith and in
(`id in (a, b)`); values are true, false, null, numbers, quoted text or a bare word.

A change may say which version it is based on, in `If-Match` or in the field `version`; if the object was changed since,
the answer is 409 and tells what changed. Secrets can be written and never read: absent or an empty text keeps one,
null removes it.

In a body null, an empty text and, for an object, an empty list mean "not given" for every field that is not required.
In a change (PATCH) an absent field stays as it is; null or an empty text sets it back to what it is in a new object.
Texts lose blanks and invisible characters at both ends; inside, an invisible character is refused with its place."""
_TYPES: Mapping[str, Schema] = {
    "text": {"type": "string"},
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer"},
    "time": {"type": "string", "format": "date-time"},
}
_MORE: Schema = {"type": "boolean", "description": "There when not all were counted: there are at least `count`."}
_ERRORS: Sequence[tuple[HTTPStatus, str]] = (
    (HTTPStatus.UNAUTHORIZED, "No valid API key and no session"),
    (HTTPStatus.FORBIDDEN, "The credential may not do this"),
    (HTTPStatus.TOO_MANY_REQUESTS, "Too many wrong keys from this address"),
    (HTTPStatus.SERVICE_UNAVAILABLE, "The store, or the message history, is away"),
)
_BODY_ERRORS: Sequence[tuple[HTTPStatus, str]] = (
    (HTTPStatus.BAD_REQUEST, "The body is not a JSON object"),
    (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large"),
    (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body is not application/json"),
)
_MISSING = ((HTTPStatus.NOT_FOUND, "No such object"),)
_INVALID = ((HTTPStatus.UNPROCESSABLE_ENTITY, "A field or parameter is wrong"),)
_CONFLICT = ((HTTPStatus.CONFLICT, "It collides with what is stored"),)


def document(routes: Iterable[ApiRoute], version: str, carriers: Iterable[Declaration] = ()) -> Schema:
    """Return the OpenAPI document of `routes`, with the credentials that these carriers declare."""
    table = list(routes)
    paths: dict[str, Schema] = {}
    for route in table:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "SMS gateway configuration", "version": version, "description": _DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": _with_credentials(_schemas(table), carriers),
            "securitySchemes": {
                "api_key": {"type": "http", "scheme": "bearer", "description": "An API key"},
                "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE},
            },
        },
        "security": [{"api_key": []}, {"session": []}],
    }


def _operation(route: ApiRoute) -> Schema:
    operation: Schema = {
        "operationId": route.operation,
        "summary": route.summary.replace("_", " "),
        "description": _needs(route),
        "tags": [route.path.split("/")[3]],
        "parameters": _parameters(route),
        "responses": {str(route.status.value): _success(route), **_failures(route)},
    }
    if route.body is not None:
        name = route.body.__name__ + ("Patch" if route.partial else "")
        required = any(field.is_required() for field in route.body.model_fields.values())
        operation["requestBody"] = {"required": required, "content": _json(_ref(name))}
    return operation


def _needs(route: ApiRoute) -> str:
    if route.scope:
        return f"Needs the scope `{route.scope}`."
    return "Needs an API key or a session, with any scope." if route.any_scope else "Needs no API key."


def _parameters(route: ApiRoute) -> list[Schema]:
    parameters: list[Schema] = []
    if "{id}" in route.path:
        parameters.append({"name": "id", "in": "path", "required": True, "schema": {"type": "string"}})
    if route.versioned:
        parameters.append(
            {
                "name": "If-Match",
                "in": "header",
                "schema": {"type": "string"},
                "description": "The ETag of the version to change",
            }
        )
    if route.columns is not None:
        parameters += _list_parameters(route.columns)
    if route.asks is not None:
        properties = route.asks.model_json_schema(ref_template=_REFERENCE)["properties"]
        parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in properties.items()]
    return parameters


def _list_parameters(columns: Columns) -> list[Schema]:
    common = {
        "filter": {"type": "string"},
        "search": {"type": "string", "description": f"Text found in {', '.join(columns.searched)}"},
        "orderby": {"type": "string", "examples": [f"{next(iter(columns.by_name))} desc"]},
        "skip": {"type": "integer", "minimum": 0, "maximum": MAX_SKIP, "default": 0},
        "top": {"type": "integer", "minimum": 1, "maximum": MAX_TOP, "default": MAX_TOP},
    }
    fields = {name: _TYPES[column.kind] for name, column in columns.by_name.items()}
    return [{"name": name, "in": "query", "schema": schema} for name, schema in {**common, **fields}.items()]


def _success(route: ApiRoute) -> Schema:
    if route.streams:
        return {
            "description": "Events without data until the client leaves: `changed` when it should read again",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    if route.answer is None:
        return {"description": "Done"}
    schema = _ref(route.answer.__name__)
    if route.columns is not None or (route.asks is not None and not route.single and "{id}" not in route.path):
        items = {"type": "array", "items": schema}
        schema = {
            "type": "object",
            "required": ["count", "items"],
            "properties": {"count": {"type": "integer"}, "more": _MORE, "items": items},
        }
    return {"description": route.summary.replace("_", " "), "content": _json(schema)}


def _failures(route: ApiRoute) -> Schema:
    found = [*_ERRORS]
    if "{id}" in route.path or _names_a_tenant(route):
        found += _MISSING
    if route.body is not None:
        found += _BODY_ERRORS
    if route.body is not None or route.columns is not None or route.versioned or route.asks is not None:
        found += _INVALID
    if route.versioned or route.status is HTTPStatus.CREATED:
        found += _CONFLICT
    return {str(status.value): {"description": text, "content": _json(_ref("Error"))} for status, text in sorted(found)}


def _names_a_tenant(route: ApiRoute) -> bool:
    """Whether an unknown tenant in the request is answered 404. In a new object it is a wrong field, 422."""
    models = (route.asks, route.body if route.status is HTTPStatus.OK else None)
    return any(model is not None and "tenant_id" in model.model_fields for model in models)


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


def _ref(name: str) -> Schema:
    return {"$ref": _REFERENCE.format(model=name)}


def _schemas(routes: list[ApiRoute]) -> Schema:
    taken = {model for route in routes for model in (route.body, route.asks) if model is not None}
    shown = {route.answer for route in routes if route.answer is not None}
    inputs = sorted(taken, key=lambda model: model.__name__)
    outputs = sorted(shown, key=lambda model: model.__name__)
    _, definitions = models_json_schema(
        [*((model, "validation") for model in inputs), *((model, "serialization") for model in outputs)],
        ref_template=_REFERENCE,
    )
    schemas: Schema = dict(definitions["$defs"])
    schemas["Error"] = ErrorBody.model_json_schema(ref_template=_REFERENCE, mode="serialization")
    schemas.update(schemas["Error"].pop("$defs", {}))
    for model in {route.body for route in routes if route.partial and route.body is not None}:
        schemas[model.__name__ + "Patch"] = _partial(model, schemas[model.__name__])
    return schemas


def _with_credentials(schemas: Schema, carriers: Iterable[Declaration]) -> Schema:
    """Name the fields of credentials, which depend on the carrier: all that any of them has."""
    value = schemas["Credentials"]["additionalProperties"]
    properties: Schema = {}
    for carrier in carriers:
        for field in carrier.credentials:
            properties[field.name] = {**value, "title": field.label, "description": f"{carrier.brand}: {field.label}."}
            said = f"Another name for {field.name}."
            properties |= {alias: {**value, "title": field.label, "description": said} for alias in field.aliases}
    return {
        **schemas,
        "Credentials": {**schemas["Credentials"], "properties": properties, "additionalProperties": False},
    }


def _partial(model: type[BaseModel], schema: Schema) -> Schema:
    """Return the same fields, none required and without defaults: an absent field stays as it is."""
    properties = {
        name: {key: value for key, value in prop.items() if key != "default"}
        for name, prop in schema["properties"].items()
    }
    version = {"type": "integer", "description": "The version this change is based on; as If-Match."}
    return {
        **{key: value for key, value in schema.items() if key != "required"},
        "title": model.__name__ + "Patch",
        "properties": {**properties, "version": version},
    }
