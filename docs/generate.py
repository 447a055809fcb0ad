"""Writes what comes from the code: events.md, asyncapi.json, configuration.md, cli.md, and the portal's sms_fields.js.

`python docs/generate.py` writes them; `pages()` gives their contents, and a test compares those with the files.
"""

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from bandwidth_simulator.settings import SimulatorSettings
from sms_common import broker_rights, events, topology
from sms_common.configuration import SmsConfigFields
from sms_config.settings import ConfigSettings
from sms_dispatcher.settings import DispatcherSettings
from sms_ingress.settings import IngressSettings
from smsgw.main import app as smsgw
from smsgw.settings import Settings as SmsgwSettings

HERE = Path(__file__).parent
PORTAL_FIELDS = "../services/config/src/sms_config/web/sms_fields.js"
SAMPLES = HERE.parent / "tests" / "data" / "events"

# What each event is published under; the order is the order of the page.
KEYS: Mapping[type[events.Event], str] = {
    events.OutboundRequest: "sms.outbound.<tenant>",
    events.CancelRequest: "sms.outbound.<tenant>.cancel",
    events.StatusEvent: "sms.status.<tenant>.<status>",
    events.InboundEvent: "sms.inbound.<tenant>.<did>",
    events.ConfigChanged: "sms.config.<tenant>.<created, updated, deleted, rotated>",
    events.CarrierReceiptEvent: "sms.carrier.<carrier>.<config_id>",
    events.CarrierInboundEvent: "sms.carrier.<carrier>.<config_id>",
    events.LaneEntry: "sms.lane.<config_id>",
    events.WebhooksSeen: "sms.seen",
}

# Who publishes, seen from the gateway.
FROM_THE_PBX = {events.OutboundRequest, events.CancelRequest}

SETTINGS: Mapping[str, type[BaseSettings]] = {
    "ingress": IngressSettings,
    "dispatcher": DispatcherSettings,
    "config": ConfigSettings,
    "simulator": SimulatorSettings,
    "smsgw": SmsgwSettings,
}

EVENTS_HEAD = """# Events

What crosses RabbitMQ. This page is generated (`make docs`) from `topology.py` and `events.py`; [asyncapi.json](asyncapi.json)
says the same for machines (AsyncAPI 3.0).

Every message is persistent JSON in UTF-8 of at most 256 KiB, with the AMQP properties `type` (the event's name and version),
`message_id` (the event's id), `timestamp`, and the header `traceparent` (W3C Trace Context). Status events also have `correlation_id`: the
`message_id` of the request. A request needs none of these: without a `type` it is read as `sms.outbound.v1`.

Delivery is at least once. **Remove duplicates by `event_id`**: a repeat of an event always has the same one. Order
among a message's
statuses is by `sequence`; a lower one that arrives later is old. Changes inside a version are additive: ignore fields
you do not know.

The gateway declares its exchanges and queues. Do not declare them, nor the PBX's own (`pbx.<pbx_id>.inbound`, `pbx.<pbx_id>.status`): read them as they are, or look with a passive
declaration (`checkQueue`). A declaration with other arguments than these ends with 406 `PRECONDITION_FAILED` and closes the channel.

Tenant ids hold letters, digits, `_` and `-`. Numbers in routing keys are digits without the plus.

## How a request is read

The smallest has `message_id`, `tenant_id`, `extension`, `to` and `text`; `extension` may be left out when `from` is given. Each is answered with a
status under its own `message_id`.

* **Not given.** For every optional field `null`, `""`, `[]` and `{}` mean that it is not given, in a media file too. So do blanks, but in
  `text`, `conversation_id` and `client_ref`, which are passed on as they are.
* **Digits are text.** What holds text may be a whole number: `13125550100`, also `13125550100.0`. One with a fraction or an exponent
  (`1.31255e10`) is refused, since it may have lost digits.
* **`to`** is one number or a list. A text may hold several, apart by line ends, tabs, `;` or `,`, where each has at least seven digits. The number
  that the text is sent as is left out: of a group with one other it makes a single text, and without any other the request is `rejected` with
  `to_own_number`. In a list the message of a recipient has the request's id, a dot and the recipient's place in the list.
* **`media`** is a list of addresses or objects with a `url`; one alone needs no list, and one text may hold several addresses, apart by line ends,
  blanks, commas, semicolons or bars. An address begins with `https://` or `http://` and names a host.
  Blanks and other characters that no URL holds are percent-encoded; what is invisible at the ends is taken off, and refused inside (`invalid_media`).
* **Times** are RFC 3339 with a zone, or a number: seconds or milliseconds since 1970, between the years 2000 and 2100. A number that makes no such
  time is refused. The zero times of programs mean "not given": `0`, `0001-01-01T00:00:00Z`, `0000-00-00`, `1970-01-01T00:00:00Z` and their like.
* **Bytes.** UTF-8, with or without a byte order mark; UTF-16 and UTF-32 are read too.

What cannot be read is `rejected` with `sequence` 0 and a sentence that names the field, and is kept in `sms.dead`. It goes to the tenant of the routing
key, else to that of the body. `message_id` is what the PBX wrote, whatever that is: cut to 64 characters, U+FFFD for what cannot be shown, JSON for what
is no text; without one the AMQP property `message_id`, and else empty. So is a body answered that is no JSON at all, when its routing key names a tenant.
A cancel of a message that nobody knows is kept in `sms.dead` and gets no status, since there is no message to tell of.

## Statuses

| status | rank | final | `delivery` (PortSIP) | meaning |
| --- | --- | --- | --- | --- |
| accepted | 10 | | | valid, stored, will be worked on |
| queued | 20 | | | waits for pace, for a retry, or for its next route; `reason` says which |
| held | 20 | | | waits for its `send_after`, or until the rule in `reason` opens |
| unknown | 35 | | | the carrier's answer was lost; its receipt will tell; not sent again by default |
| submitted | 40 | | SENT | the carrier took it: queued there, nothing more |
| sent | 50 | | SENT | handed to the next network |
| undetermined | 80 | yes | SENT | no receipt within the window; a late one may still correct this, once |
| delivered | 90 | yes | DELIVERED | delivered, as far as the carrier can tell |
| failed | 90 | yes | ERR | not delivered; see `error` |
| rejected | 90 | yes | ERR | refused by the gateway; see `error` |
| expired | 90 | yes | ERR | its `expires_at` came first |
| canceled | 90 | yes | ERR | withdrawn by the PBX |

A lower rank never replaces a higher one, and the first final status stays.

`error.class` says what may help: `permanent` (do not send again), `temporary` (later), `unknown` (it may have arrived), `policy` (consent,
registration, volume or a rule). Codes are explained in [operations.md](operations.md).

## How numbers are read

Write `to` and `from` in E.164: plus, country code, number. Else they are read by these rules, or refused (`invalid_number`) with a sentence in `reason`.

| written | read as |
| --- | --- |
| `+13125550100`, `+1 (312) 555-0100`, `tel:+1-312-555-0100`, `sip:+13125550100@pbx.example.com` | that number; blanks, dashes, dots, brackets and marks that nobody sees are filling |
| `0031…`, or the prefix that dials abroad from the tenant's country (`011…` in the US) | the number behind it |
| `3125550100`, `13125550100` with the country US | `+13125550100`: a number of the tenant's country, with or without its calling code |
| `447911123456` with the country US | refused: a digit too many must reach nobody abroad. The tenant's `foreign_without_plus` allows it |
| `3125550100.0` | `+13125550100`; other decimals, extensions (`x12`, `;ext=12`), letters, names and several numbers in one are refused |
| `72345` | a short code: three to six digits, with or without a plus. None of three or four digits, no name and no e-mail address can be sent to |
| `+5215555550100` | `+525555550100`: Mexico's old form is today's, here and in inbound texts |

## How a text is routed

**In.** The tenant that owns the number gets the text, and `route` says where it should go: `kind` is `extension`, `ring_group`, `queue`, `number` or
`voicemail` when an inbound rule decides (`rule_id`), and `did` when none does, `destination` then being the number itself. Office hours are those
of `provider_time` in the tenant's time zone. What a rule discards, and what comes from a blocked sender, is told to nobody.

**Out.** The tenant's outbound rules decide for each recipient by which SMS configurations the text may leave, in which order, and whether and when.

* A rule that is closed refuses (`blocked_by_rule`) or holds until it opens, also what names `config_id` or `from`. It looks at `send_after` when that
  is given, and decides once: what was held is sent when it is due, whatever the rules say by then.
* `extension` is the same however it is written: `"109 "`, `+109`, and `0109` where that is not listed too. One that is not listed may send as any of the tenant's
  numbers until the tenant decides otherwise (`unlisted_extensions`); then it is rejected with `sender_not_allowed`.
* `config_id` and `from` limit the rule's routes to those that fit. When none does, the configuration that is named, or has the sender, is used.
* Without `from` the sender is, in this order: the number the customer wrote to (of the conversation in `conversation_id` when that is ours, else the
  latest; for a group only that of its `conversation_id`, or one of ours among its recipients), the configuration's sender id if the extension may use
  it, the extension's caller id on that trunk, the route's, the sender id, and the trunk's default number. A number that the configuration's trunk does not have is passed over.
* Without a rule the configuration is the one that is named, or has the sender, or the conversation's number, or else the tenant's default.
* When a carrier refuses account, credentials or sender before taking the text, the next route is tried: `queued`, with the new `config_id` and `from`.
  Never when the recipient or the text is the reason, and never once an answer was lost.

`to` is always as it was asked, whatever number a route makes of it for its carrier. `smsgw explain` tells all of this for a text that is not sent.
"""

EVENTS_DECLARED = """
### Do not declare them

The gateway declares all of these before a PBX first connects, and again within seconds when somebody deletes one. Use them by name. A client that declares one itself
(`assertQueue("pbx.main.status")` in amqplib, `declare_queue` in aio-pika, `queueDeclare` in Java) asks for it with other arguments than it has, and RabbitMQ closes the
channel with 406, or with 403 where the user may declare nothing. To look whether one is there use the passive way: `checkQueue`, `get_queue`, `queueDeclarePassive`.

What was published while a queue of a PBX was gone went to `sms.unrouted`; once the queue is there again the dispatcher brings its statuses and texts back from there by itself.
What lay in the deleted queue is lost.

## Users and rights

"""

EVENTS_USERS = """
Permissions are regular expressions on names; the last two columns are topic permissions on the exchange `sms`. Other PBXs have the same rights on their own names. A right to
configure is a right to delete, so that only the dispatcher has one on what is listed above: all others look whether it is there, and wait until it is.
`docker compose up` and `make up` make these users with the passwords in `.env` ([deploy/README.md](../deploy/README.md)).

### A PBX with a user of its own

The PBX `main` logs in as `pbx-main`, publishes to the exchange **`pbx.main.requests`** and reads `pbx.main.status` and `pbx.main.inbound`. Routing keys and bodies are those of this
page. The exchange leads to the queues of that PBX's tenants and to nothing else, whatever the headers `CC` and `BCC` say, and follows when a tenant moves to another PBX.

* What is published there for a tenant of another PBX, or for none, is not sent and not answered with a status: it is confirmed, and kept in the queue `sms.refused` for people to see
  (`mandatory` returns nothing). When 10,000 lie there, the next is refused with a negative confirm.
* A request counts for the tenant whose queue it reached. One that names another tenant in its body is `rejected` with `tenant_mismatch`, told to the tenant whose queue it was.

### The old way: the exchange `sms`

Publishing to `sms`, or to the default exchange under the name `sms.outbound`, goes on working for an account that may. It is for **one PBX that is trusted like the gateway itself**:
such an account speaks for every tenant, and can forge statuses, carriers' words and announcements of changes. Topic permissions do not help: RabbitMQ routes by the headers `CC` and
`BCC` without looking at them (tried with 3.10), and who may write to the default exchange may write into every queue.
"""

CONFIGURATION_HEAD = """# Configuration of the processes

Each service reads its environment once, at its start, and refuses to start with a clear line when something is missing
or wrong. An empty value is the same as none.
With `docker-compose.yml` a setting goes into `.env`. The file itself sets what belongs to its containers: the addresses and ports inside,
the databases, the form of the log, and under the names of one service the tokens of another.
This page is generated (`make docs`). What an administrator configures (tenants, trunks, SMS configurations) is data and lives in the
config service, not here.
"""

CLI_HEAD = """# The command `smsgw`

What an operator does from a terminal. This page is generated (`make docs`) from the command's own help; `smsgw --help` and
`smsgw COMMAND --help` say the same.

In the checkout it is `.venv/bin/smsgw`; `python -m smsgw` is the same. It is told where the gateway is by environment variables
([configuration.md](configuration.md#smsgw)), or by a file with them (`--env-file`). In a checkout with `make up` it reads
the `.env` there and needs nothing else: try `.venv/bin/smsgw doctor`.

Results go to standard output, all else to standard error; `--json` makes the result JSON. Numbers and texts are masked
until `--show` is given, and secrets are never shown. The exit status is 0 when all went well, 1 when it failed, and 2 when the command
line, a file or the settings cannot be used.
"""

CLI_SMS_FIELDS = "@fields\n"
CLI_FILE = """## The file of `smsgw config`

```yaml
version: 1
only_tenants: [acme]          # optional: the file speaks of these tenants alone, and --prune deletes nothing of others
tenants:
- id: acme
  name: Acme
  country: US                 # put NO (Norway) in quotes
  time_zone: America/New_York
  pbx_id: main
  default_config: Main line   # the name of one of its SMS configurations
trunks:
- tenant: acme
  name: BW
  brand: Bandwidth
  hostname: null
  dids: "+12025550140-+12025550149"
  default_did: "+12025550143"
sms:
- tenant: acme
  name: Main line
  trunk: BW                   # the name of a trunk of the same tenant
@fields
  credentials:                # names of environment variables, never values
    account_id_env: ACME_ACCOUNT
    application_id_env: ACME_APPLICATION
    api_token_env: ACME_TOKEN
    api_secret_env: ACME_SECRET
  callback:
    username: bandwidth
    password_env: ACME_CALLBACK
  limits:                     # what is not named here is not limited
    segments_per_second: 10
extensions:
- tenant: acme
  extension: "101"
  permission: ALLOW_WITH_SENDER_ID
  caller_ids:
  - number: "+12025550141"
    trunk: BW
  groups: [sales]
inbound_rules:
- tenant: acme
  name: Sales
  did_numbers: "+12025550140-+12025550149"
  configs: []                 # names of SMS configurations; empty is any
  office: {kind: extension, destination: "100-109"}
  outside: {kind: voicemail, destination: "100"}
outbound_rules:
- tenant: acme
  name: Abroad
  prefixes: "+44;+49"
  closed: hold
  routes:
  - config: Main line
    caller_id: "+12025550142"
routing:                      # hours and blocked senders; the time zone stands with the tenant
- tenant: acme
  hours:
    monday: [{opens: "09:00", closes: "17:00"}]
  holidays: ["2026-12-25"]
  blocked_senders: "+1900*******;ACME;user@example.com;short code 202555"
  unlisted_extensions: DISABLE  # or ALLOW, or ALLOW_WITH_SENDER_ID as from the start
```

A trunk of the system has no `tenant` but `pools`, one for each tenant that it is lent to: `{tenant: acme, dids: …,
default_did: …}`. Its borrowers name it as they name their own trunks. A file of some tenants alone does not hold it.

Objects are known by their names, so a file moves between installations: a tenant by its id, everything
else by tenant and name. A field that is absent stays as it is (in a new object: the API's default); null means none. A secret that is stored
stays; one that is not stored is read from the variable that the file names, and `--replace-secrets` sets all that are named.
Numbers and masks may be written as people write them; they are compared in international form. What can match nobody is refused.

Changes are made on the versions that were compared: when somebody else changed an object meanwhile, it is left as it is and
the command says what was changed. What was made before stays; importing again goes on from there. A number that moves
between two trunks goes in one import, unless the trunk that has it is to be deleted by the same import: take the number from
it first.
"""


def pages() -> dict[str, str]:
    """Every generated page by its file name."""
    return {
        "events.md": _events(),
        "asyncapi.json": json.dumps(_asyncapi(), indent=2) + "\n",
        "configuration.md": _configuration(),
        "cli.md": _cli(),
        PORTAL_FIELDS: _portal_fields(),
    }


def _events() -> str:
    parts = [EVENTS_HEAD, "## Exchanges and queues\n", topology.markdown(), EVENTS_DECLARED + broker_rights.markdown()]
    parts.append(EVENTS_USERS)
    for event, key in KEYS.items():
        parts += [f"## {event.TYPE}", "", _one_paragraph(event), "", f"Routing key: `{key}`", "", *_fields(event), ""]
        sample = SAMPLES / f"{event.TYPE}.json"
        parts += ["```json", sample.read_text().strip(), "```", ""]
    return "\n".join(parts)


def _one_paragraph(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _fields(event: type[events.Event]) -> list[str]:
    schema = event.model_json_schema(by_alias=True, ref_template="{model}")
    required = set(schema.get("required", []))
    rows = ["| field | needed | form |", "| --- | --- | --- |"]
    for name, field in schema["properties"].items():
        rows.append(f"| `{name}` | {'yes' if name in required else ''} | {_form(field, schema.get('$defs', {}))} |")
    return rows


def _form(field: Mapping[str, Any], parts: Mapping[str, Any]) -> str:
    """A field's form in words; `parts` are the schema's named parts."""
    if "anyOf" in field:
        return " or ".join(_form(option, parts) for option in field["anyOf"] if option.get("type") != "null")
    if "$ref" in field:
        part = parts[field["$ref"]]
        names = ", ".join(f"`{name}`" for name in part.get("properties", {}))
        return f"object of {names}" if names else _form(part, parts)
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field.get("type") == "array":
        return "list of " + _form(field.get("items", {"type": "anything"}), parts)
    words = [str(field.get("format") or field.get("type") or "anything")]
    limits = {"maxLength": "up to {} characters", "pattern": "like `{}`"}
    words += [text.format(str(field[name]).replace("|", r"\|")) for name, text in limits.items() if name in field]
    return ", ".join(words)


def _asyncapi() -> dict[str, Any]:
    """AsyncAPI 3.0 with the AMQP bindings 0.3.0, seen from the gateway: it receives requests and sends the rest."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for event, key in KEYS.items():
        name = event.TYPE.replace(".", "_")
        schema = event.model_json_schema(by_alias=True, ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[event.__name__] = schema
        messages[name] = {
            "name": event.TYPE,
            "contentType": "application/json",
            "summary": _one_paragraph(event),
            "payload": {"$ref": f"#/components/schemas/{event.__name__}"},
            "bindings": {"amqp": {"messageType": event.TYPE, "bindingVersion": "0.3.0"}},
        }
        exchange = {"name": "" if event is events.LaneEntry else topology.SMS, "type": "topic", "durable": True}
        channels[name] = {
            "address": key.replace("<", "{")
            .replace(">", "}")
            .replace("{created, updated, deleted, rotated}", "{change}"),
            "messages": {name: {"$ref": f"#/components/messages/{name}"}},
            "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": "0.3.0"}},
        }
        operations[f"{'receive' if event in FROM_THE_PBX else 'send'}_{name}"] = {
            "action": "receive" if event in FROM_THE_PBX else "send",
            "channel": {"$ref": f"#/channels/{name}"},
            "bindings": {"amqp": {"deliveryMode": 2, "bindingVersion": "0.3.0"}},
        }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "SMS gateway", "version": "1.0.0", "description": "Events between a PBX and the gateway."},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    }


def _configuration() -> str:
    parts = [CONFIGURATION_HEAD]
    for service, settings in SETTINGS.items():
        prefix = str(settings.model_config.get("env_prefix", ""))
        parts += [f"## {service}", "", "| variable | default | meaning |", "| --- | --- | --- |"]
        for name, field in settings.model_fields.items():
            parts.append(
                f"| `{prefix}{name.upper()}` | {_default(field.get_default(call_default_factory=True))} | {field.description or ''} |"
            )
        parts.append("")
    return "\n".join(parts)


def _portal_fields() -> str:
    """The fields of an SMS configuration for the portal's form."""
    schema = SmsConfigFields.model_json_schema()
    rows = [
        {
            "name": name,
            "label": field["title"],
            "hint": field.get("description"),
            "kind": _kind(field),
            "required": name in schema["required"],
            "unset": field.get("default"),
        }
        for name, field in schema["properties"].items()
    ]
    lines = "".join(f"  {json.dumps(row)},\n" for row in rows)
    return f"// The fields of an SMS configuration. Generated from SmsConfigFields (`make docs`).\n\nexport const SMS_FIELDS = [\n{lines}];\n"


def _kind(field: Mapping[str, Any]) -> str:
    """How the form draws a field: as a switch, as a line of text, or in a way of its own."""
    types = {part.get("type") for part in field.get("anyOf", [field])} - {"null"}
    return {"boolean": "switch", "string": "text"}.get(types.pop(), "own") if len(types) == 1 else "own"


def _cli() -> str:
    """The help of every command, from the tree of commands that typer makes."""
    parts = [CLI_HEAD]
    root = typer.main.get_command(smsgw)
    parts += ["## smsgw", "", *_command(root)]
    for name, command in root.commands.items():  # type: ignore[attr-defined]  # the root is a group
        parts += [f"## smsgw {name}", "", *_command(command)]
        for inner, subcommand in getattr(command, "commands", {}).items():
            parts += [f"### smsgw {name} {inner}", "", *_command(subcommand)]
    return "\n".join([*parts, CLI_FILE.replace(CLI_SMS_FIELDS, _sms_defaults())])


def _sms_defaults() -> str:
    """The fields of an SMS configuration as they are in a new one, each on a line of the file."""
    unset = SmsConfigFields(name="").model_dump(mode="json", exclude={"name", "limits"})
    return "".join(f"  {name}: {json.dumps(value)}\n" for name, value in unset.items())


def _command(command: Any) -> list[str]:
    """What a command does, its examples in a block, and a table of what it takes."""
    text, _, examples = inspect.cleandoc(command.help or "").partition("For example:")
    lines = [text.strip(), ""]
    if examples:
        lines += ["```sh", *(line.strip() for line in examples.splitlines() if line.strip()), "```", ""]
    given = [parameter for parameter in command.params if "--install-completion" not in parameter.opts]
    given = [parameter for parameter in given if "--show-completion" not in parameter.opts]
    if given:
        lines += ["| takes | meaning | default |", "| --- | --- | --- |"]
        lines += [f"| {_parameter(one)} | {one.help} | {_parameter_default(one)} |" for one in given]
        lines.append("")
    return lines


def _parameter(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{(parameter.metavar or parameter.name).upper()}`"
    return ", ".join(f"`{option}`" for option in sorted(parameter.opts, key=len, reverse=True))


def _parameter_default(parameter: Any) -> str:
    if parameter.required:
        return "must be given"
    value = parameter.default
    if value in (None, False, "", [], ()) or callable(value):
        return ""
    return f"`{getattr(value, 'value', value)}`"


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "must be set"
    if value is None or value in ((), {}):
        return "none"
    return f"`{value}`"


if __name__ == "__main__":
    for file, text in pages().items():
        (HERE / file).write_text(text)
