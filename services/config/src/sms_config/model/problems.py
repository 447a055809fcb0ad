"""Error answers of the API: one JSON shape, {code, message, errors: [{field, message}]}."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class FieldProblem(BaseModel):
    """What is wrong with one field. `field` is its dotted path in the request, or empty for the request as a whole."""

    model_config = ConfigDict(frozen=True)

    field: str
    message: str


class ErrorBody(BaseModel):
    """Every answer of 400 and above. `code` is stable; `message` is a sentence for a person."""

    model_config = ConfigDict(title="Error", frozen=True)

    code: str
    message: str
    errors: tuple[FieldProblem, ...] = ()
    request_id: str = Field(default="", description="Names this request in the logs and in the audit.")


class Problem(Exception):  # it is an answer, not always an error of ours
    """An answer other than success. Each subclass has its HTTP status and its stable code."""

    status: HTTPStatus = HTTPStatus.INTERNAL_SERVER_ERROR
    code: str = "internal_error"

    def __init__(
        self, message: str, errors: Iterable[FieldProblem] = (), *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    def body(self, request_id: str) -> ErrorBody:
        """Return this problem as the answer's JSON."""
        return ErrorBody(code=self.code, message=self.message, errors=self.errors, request_id=request_id)


class Malformed(Problem):
    """The body is not JSON, or not a JSON object."""

    status, code = HTTPStatus.BAD_REQUEST, "malformed_json"


class Unauthenticated(Problem):
    """No credential, or an unknown one. The answer never says which."""

    status, code = HTTPStatus.UNAUTHORIZED, "unauthenticated"

    def __init__(self) -> None:
        super().__init__(
            "A valid API key is needed (Authorization: Bearer <key>), or a session.",
            headers={"WWW-Authenticate": "Bearer"},
        )


class LogInFailed(Problem):
    """Wrong user name, wrong password or a disabled user. The answer never says which."""

    status, code = HTTPStatus.UNAUTHORIZED, "log_in_failed"

    def __init__(self) -> None:
        super().__init__("The user name or the password is wrong.")


class HttpsNeeded(Problem):
    """A log-in over plain HTTP although the portal uses HTTPS: the browser would drop the session cookie."""

    status, code = HTTPStatus.FORBIDDEN, "https_needed"

    def __init__(self, portal: str) -> None:
        super().__init__(f"Open the portal by https, at {portal} (over plain HTTP no browser keeps the session).")


class SetUpClosed(Problem):
    """The set-up link was used, has expired or is wrong; or there is a user already."""

    status, code = HTTPStatus.FORBIDDEN, "set_up_closed"

    def __init__(self) -> None:
        super().__init__(
            "This link does not work any more. While no user exists, the service prints a new one when it starts."
        )


class CsrfRefused(Problem):
    """A change by a session without the token that only our own page has."""

    status, code = HTTPStatus.FORBIDDEN, "csrf_refused"

    def __init__(self) -> None:
        super().__init__("The header X-CSRF-Token is missing or wrong; GET /api/v1/session gives it.")


class Forbidden(Problem):
    """The credential is known and may not do this."""

    status, code = HTTPStatus.FORBIDDEN, "forbidden"


class NotFound(Problem):
    """No such object, or an object of another tenant. The answer does not say which."""

    status, code = HTTPStatus.NOT_FOUND, "not_found"


class MethodNotAllowed(Problem):
    """The address exists, but not with this method."""

    status, code = HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed"


class Conflict(Problem):
    """The request is valid, but conflicts with what is stored."""

    status, code = HTTPStatus.CONFLICT, "conflict"


class VersionConflict(Conflict):
    """The caller's change is based on an older version than the stored one. `errors` name what changed since."""

    code = "version_conflict"


class InUse(Conflict):
    """Something else refers to the object that was to be deleted."""

    code = "in_use"


class Overlap(Conflict):
    """Numbers that already belong to another pool."""

    code = "number_overlap"


class NameTaken(Conflict):
    """Another object has a name that looks the same to a person."""

    code = "name_taken"


class LastAdministrator(Conflict):
    """No system administrator would be left."""

    code = "last_administrator"

    def __init__(self) -> None:
        super().__init__("This is the last system administrator who can log in; make another one first.")


class TooLarge(Problem):
    """The body is too large."""

    status, code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large"


class UnsupportedMediaType(Problem):
    """The body is not sent as plain application/json."""

    status, code = HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"


class Invalid(Problem):
    """The request was understood but is not valid. `errors` say why, field by field."""

    status, code = HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request"

    def __init__(self, errors: Iterable[FieldProblem]) -> None:
        found = tuple(errors)
        super().__init__("; ".join(f"{e.field}: {e.message}" if e.field else e.message for e in found[:5]), found)

    @classmethod
    def of(cls, field: str, message: str) -> "Invalid":
        """One wrong field."""
        return cls((FieldProblem(field=field, message=message),))


class TooManyFailures(Problem):
    """Too many wrong credentials came from one address, or for one user name."""

    status, code = HTTPStatus.TOO_MANY_REQUESTS, "too_many_failures"

    def __init__(self, said: str, seconds: int) -> None:
        super().__init__(f"{said}; try again in {seconds} seconds.", headers={"Retry-After": str(seconds)})


class TooManyTests(Problem):
    """One SMS configuration is tested too often."""

    status, code = HTTPStatus.TOO_MANY_REQUESTS, "too_many_trials"

    def __init__(self, seconds: int) -> None:
        super().__init__(
            f"This configuration was tried several times just now; try again in {seconds} seconds.",
            headers={"Retry-After": str(seconds)},
        )


class TooManyListeners(Problem):
    """Too many pages of one caller, or in all, watch for changes."""

    status, code = HTTPStatus.TOO_MANY_REQUESTS, "too_many_listeners"

    def __init__(self, message: str) -> None:
        super().__init__(message, headers={"Retry-After": "30"})


class StoreAway(Problem):
    """MongoDB is down or not ready; nothing is wrong with the request."""

    status, code = HTTPStatus.SERVICE_UNAVAILABLE, "store_unavailable"

    def __init__(self) -> None:
        super().__init__(
            "The configuration store is not available now; try again shortly.", headers={"Retry-After": "5"}
        )


class BrokerAway(Problem):
    """RabbitMQ, which has the parked messages, is down; nothing is wrong with the request."""

    status, code = HTTPStatus.SERVICE_UNAVAILABLE, "broker_unavailable"

    def __init__(self, message: str = "RabbitMQ cannot be reached now; try again shortly.") -> None:
        super().__init__(message, headers={"Retry-After": "5"})


class DispatcherAway(Problem):
    """The dispatcher does not answer; nothing is wrong with the request."""

    status, code = HTTPStatus.SERVICE_UNAVAILABLE, "dispatcher_unavailable"

    def __init__(self, message: str) -> None:
        super().__init__(message, headers={"Retry-After": "5"})


class HistoryAway(DispatcherAway):
    """The dispatcher, which has the message history, does not answer."""

    code = "history_unavailable"


class ExplanationAway(DispatcherAway):
    """The dispatcher, which explains what would become of a text, does not answer."""

    code = "explanation_unavailable"


class Internal(Problem):
    """A bug of ours. The log has it under the request id."""

    def __init__(self) -> None:
        super().__init__("Something went wrong here; the log has the details under this request id.")


def invalid(error: ValidationError) -> Invalid:
    """Return what pydantic found, without the input, which may be a secret."""
    details = error.errors(include_url=False, include_input=False)
    return Invalid(FieldProblem(field=_path(detail["loc"]), message=_sentence(detail)) for detail in details[:50])


A_TIME = "must be a time with its zone, such as 2026-01-31T12:00:00Z"
_WRONG_FORM = "has a form or characters that are not allowed here"
_SENTENCES = {
    "missing": "is required",
    "extra_forbidden": "is not a field that can be set here",
    "model_type": "must be a JSON object",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "list_type": "must be a list",
    "string_pattern_mismatch": _WRONG_FORM,
    "string_too_short": "may not be empty",
    "string_too_long": "may have {max_length} characters",
    "too_short": "needs at least one",
    "too_long": "may have {max_length} entries",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "int_parsing": "must be a whole number",
    "bool_parsing": "must be true or false",
    "dict_type": "must be a JSON object",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "finite_number": "must be a number",
    "string_unicode": "holds half of a surrogate pair, which is no character",
}
_OF_TIMES = ("datetime", "timezone")


def _sentence(detail: Any) -> str:
    """Return what is wrong in words for administrators; those of pydantic are for programmers."""
    kind: str = detail["type"]
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    if kind.startswith(_OF_TIMES):
        return A_TIME
    return _SENTENCES.get(kind, _WRONG_FORM).format_map(detail.get("ctx", {}))


def _path(place: tuple[int | str, ...]) -> str:
    return ".".join(str(part)[:64] for part in place)
