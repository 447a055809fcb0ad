"""Writes the reference pages: events.md, asyncapi.json, configuration.md and cli.md from the code, codes.md and the
portal's codes.js from the table in codes.toml, and the portal's sms_fields.js from the declared fields.

`python docs/generate.py` writes them. `pages()` returns their contents, and a test compares those with the files.
"""

import inspect
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from carrier_simulator.settings import SimulatorSettings
from sms_common import broker_rights, events, topology
from sms_common.configuration import SmsConfigFields
from sms_common.errors import Code
from sms_config.settings import ConfigSettings
from sms_dispatcher.settings import DispatcherSettings
from sms_ingress.settings import IngressSettings
from smsgw.main import app as smsgw
from smsgw.settings import CliSettings as SmsgwSettings

HERE = Path(__file__).parent
SAMPLES = HERE.parent / "tests" / "data" / "events"
# What the portal says about codes, as a path from this folder.
PORTAL_CODES = "../services/config/src/sms_config/web/codes.js"
# The fields that its form draws.
PORTAL_FIELDS = "../services/config/src/sms_config/web/sms_fields.js"

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

What crosses RabbitMQ.
This page is generated (`make docs`) from `topology.py` and `events.py`.
[asyncapi.json](asyncapi.json) says the same for machines (AsyncAPI 3.0).

Every message is persistent JSON in UTF-8 of at most 256 KiB.
It has the AMQP properties `type` (the event's name and version), `message_id` (the event's id) and `timestamp`, and the header `traceparent` (W3C Trace Context).
Status events also have `correlation_id`: the `message_id` of the request.
A request needs none of these: without a `type` it is read as `sms.outbound.v1`.

Delivery is at least once.
**Remove duplicates by `event_id`**: a repeat of an event always has the same one.
The order of a message's statuses is that of `sequence`: ignore a lower one that arrives later.
Changes inside a version are additive: ignore fields that you do not know.

Do not declare the gateway's exchanges and queues, nor the PBX's own (`pbx.<pbx_id>.inbound`, `pbx.<pbx_id>.status`): the gateway declares them.
Consume them as they are, or check with a passive declaration (`checkQueue`).
A declaration with other arguments ends with 406 `PRECONDITION_FAILED` and closes the channel.

Tenant ids contain letters, digits, `_` and `-`.
Numbers in routing keys are digits without the plus.

## How a request is read

The smallest request has `message_id`, `tenant_id`, `extension`, `to` and `text`.
`extension` may be left out when `from` is given.
Each request is answered with a status under its own `message_id`.

* **Not given.**
  For every optional field `null`, `""`, `[]` and `{}` mean that it is not given, in a media file too.
  So do blanks, except in `text`, `conversation_id` and `client_ref`, which are passed on as they are.
* **Digits are text.**
  A text field may be a whole number: `13125550100`, also `13125550100.0`.
  A number with a fraction or an exponent (`1.31255e10`) is refused, since it may have lost digits.
* **`to`** is one number or a list.
  A text may contain several numbers, separated by line ends, tabs, `;` or `,`, if each has at least seven digits.
  The number that the text is sent as is left out.
  A group with one other number then becomes a single text; without any other the request is `rejected` with `to_own_number`.
  In a list, the message of a recipient has the request's id, a dot and the recipient's place in the list.
* **`media`** is a list of addresses, or of objects with a `url`.
  One alone needs no list.
  One text may contain several addresses, separated by line ends, blanks, commas, semicolons or bars.
  An address begins with `https://` or `http://` and names a host.
  Blanks and other characters that no URL may contain are percent-encoded.
  Invisible characters are removed at the ends, and refused inside (`invalid_media`).
* **Times** are RFC 3339 with a zone, or a number: seconds or milliseconds since 1970, between the years 2000 and 2100.
  A number that makes no such time is refused.
  The zero times of programs mean "not given": `0`, `0001-01-01T00:00:00Z`, `0000-00-00`, `1970-01-01T00:00:00Z` and similar ones.
* **Bytes.**
  UTF-8, with or without a byte order mark; UTF-16 and UTF-32 are read too.

A request that cannot be read is `rejected` with `sequence` 0 and a sentence that names the field, and is kept in `sms.dead`.
The status goes to the tenant of the routing key, or else to that of the body.
Its `message_id` is what the PBX wrote, whatever that is: cut to 64 characters, with U+FFFD for what cannot be shown, and JSON for what is no text.
Without one it is the AMQP property `message_id`, and without that it is empty.
A body that is no JSON at all is answered in the same way, when its routing key names a tenant.
A cancel of a message that nobody knows is kept in `sms.dead` and gets no status, since there is no message that could have one.

## Statuses

| status | rank | final | `delivery` (PortSIP) | meaning |
| --- | --- | --- | --- | --- |
| accepted | 10 | | | valid and stored; it will be worked on |
| queued | 20 | | | waits for pace, for a retry, or for its next route; `reason` says which |
| held | 20 | | | waits for its `send_after`, or until the rule in `reason` opens |
| unknown | 35 | | | the carrier's answer was lost; its receipt will settle it; not sent again by default |
| submitted | 40 | | SENT | the carrier took it: queued there, nothing more |
| sent | 50 | | SENT | handed to the next network |
| undetermined | 80 | yes | SENT | no receipt within the window; a late one may still correct this, once |
| delivered | 90 | yes | DELIVERED | delivered, as far as the carrier can tell |
| failed | 90 | yes | ERR | not delivered; see `error` |
| rejected | 90 | yes | ERR | refused by the gateway; see `error` |
| expired | 90 | yes | ERR | its `expires_at` came first |
| canceled | 90 | yes | ERR | withdrawn by the PBX |

A lower rank never replaces a higher one, and the first final status stays.

`error.class` says what may help: `permanent` (do not send again), `temporary` (send later), `unknown` (it may have arrived), `policy` (consent, registration, volume or a rule).
[codes.md](codes.md) explains the codes.

## How numbers are read

Write `to` and `from` in E.164: plus, country code, number.
Anything else is read by these rules, or refused (`invalid_number`) with a sentence in `reason`.

| written | read as |
| --- | --- |
| `+13125550100`, `+1 (312) 555-0100`, `tel:+1-312-555-0100`, `sip:+13125550100@pbx.example.com` | that number; blanks, dashes, dots, brackets and invisible characters are ignored |
| `0031…`, or the prefix that dials abroad from the tenant's country (`011…` in the US) | the number behind it |
| `3125550100`, `13125550100` with the country US | `+13125550100`: a number of the tenant's country, with or without its calling code |
| `447911123456` with the country US | refused, so that a digit too many reaches nobody abroad. The tenant's `foreign_without_plus` allows it |
| `3125550100.0` | `+13125550100`; other decimals, extensions (`x12`, `;ext=12`), letters, names and several numbers in one are refused |
| `72345` | a short code: three to six digits, with or without a plus. No text can be sent to one of three or four digits, to a name or to an e-mail address |
| `+5215555550100` | `+525555550100`: Mexico's old form is read as today's, here and in inbound texts |

## How a text is routed

**Inbound.**
The tenant that owns the number gets the text, and `route` says where it should go.
`kind` is `extension`, `ring_group`, `queue`, `number` or `voicemail` when an inbound rule decides (`rule_id`).
It is `did` when none does; `destination` is the number itself then.
Office hours are those of `provider_time` in the tenant's time zone.
What a rule discards, and what comes from a blocked sender, is not published.

**Outbound.**
The tenant's outbound rules decide for each recipient by which SMS configurations the text may leave, in which order, and whether and when.

* A rule that is closed refuses a text (`blocked_by_rule`) or holds it until it opens, also a text that names `config_id` or `from`.
  It applies to the time `send_after` when that is given.
  It decides once: a text that was held is sent when it is due, whatever the rules say by then.
* `extension` is the same however it is written: `"109 "`, `+109`, and `0109` where that is not listed too.
  One that is not listed may send as any of the tenant's numbers, until the tenant decides otherwise (`unlisted_extensions`).
  Then it is rejected with `sender_not_allowed`.
* `config_id` and `from` limit the rule's routes to those that fit.
  When none fits, the configuration that is named, or that has the sender, is used.
* Without `from` the sender is the first of these:
  1. the number that the customer wrote to: that of the conversation in `conversation_id` when it is ours, or else the latest. For a group only that of its `conversation_id`, or one of ours among its recipients;
  2. the configuration's sender id, if the extension may use it;
  3. the extension's caller id on that trunk;
  4. the route's caller id;
  5. the sender id;
  6. the trunk's default number.

  A number that the configuration's trunk does not have is skipped.
* Without a rule the configuration is the one that is named, or has the sender, or has the conversation's number, or else the tenant's default.
* When a carrier refuses the account, the credentials or the sender before it takes the text, the next route is tried: `queued`, with the new `config_id` and `from`.
  No other route is tried when the recipient or the text is the reason, nor once an answer was lost.

`to` is always as the PBX wrote it, whatever number a route makes of it for its carrier.
`smsgw explain` shows all of this for a text that is not sent.
"""

EVENTS_DECLARED = """
### Do not declare them

The gateway declares all of these before a PBX first connects, and again within seconds when somebody deletes one.
Use them by name.
A client that declares one itself (`assertQueue("pbx.main.status")` in amqplib, `declare_queue` in aio-pika, `queueDeclare` in Java) asks for it with other arguments than it has.
RabbitMQ then closes the channel with 406, or with 403 where the user may declare nothing.
To check that one exists use a passive declaration: `checkQueue`, `get_queue`, `queueDeclarePassive`.

What was published while a queue of a PBX was gone went to `sms.unrouted`.
Once the queue exists again the dispatcher publishes its statuses and texts again by itself.
What was in the deleted queue is lost.

## Users and rights

"""

EVENTS_USERS = """
Permissions are regular expressions on names; the last two columns are topic permissions on the exchange `sms`.
Other PBXs have the same rights on their own names.
A right to configure is a right to delete, so only the dispatcher has one on what is listed above.
All others check whether a name exists, and wait until it does.
`docker compose up` and `make up` make these users with the passwords in `.env` ([deploy/README.md](../deploy/README.md)).

### A PBX with a user of its own

The PBX `main` logs in as `pbx-main`, publishes to the exchange **`pbx.main.requests`**, and consumes `pbx.main.status` and `pbx.main.inbound`.
Routing keys and bodies are those of this page.
The exchange leads to the queues of that PBX's tenants and to nothing else, whatever the headers `CC` and `BCC` say.
It follows when a tenant moves to another PBX.

* What is published there for a tenant of another PBX, or for none, is not sent and gets no status.
  It is confirmed, and kept in the queue `sms.refused` for people to read (`mandatory` returns nothing).
  When 10,000 messages are there, the next is refused with a negative confirm.
* A request counts for the tenant whose queue it reached.
  One that names another tenant in its body is `rejected` with `tenant_mismatch`; the tenant whose queue it was gets the status.

### The old way: the exchange `sms`

An account that may can still publish to `sms`, or to the default exchange under the name `sms.outbound`.
Use this only for **one PBX that you trust like the gateway itself**: such an account speaks for every tenant, and can forge statuses, receipts and announcements of changes.
Topic permissions do not help: RabbitMQ routes by the headers `CC` and `BCC` without checking them (tried with 3.10), and who may write to the default exchange may write into every queue.
"""

CONFIGURATION_HEAD = """# Configuration of the processes

Each service reads its environment once, when it starts.
It refuses to start, with a line that names the setting, when a setting is missing or wrong.
An empty value is the same as none.

With `docker-compose.yml` a setting goes into `.env`.
The compose file itself sets what belongs to its containers: the addresses and ports inside, the databases, the form of the log, and under the names of one service the tokens of another.

This page is generated (`make docs`).
What an administrator configures (tenants, trunks, SMS configurations) is data in the config service, and not here.
"""

CODES_HEAD = """# Codes

What each code means, and what to do.
A code is stable: it never changes its meaning.
Codes appear in status events (`error.code`), dead letters (the header `x-code`), logs, metrics and answers of the API.
This page is generated (`make docs`) from [codes.toml](codes.toml), and so are the portal's sentences.
"""

PORTAL_CODES_HEAD = """// What codes mean. Generated by `make docs` from docs/codes.toml: change it there.
"""

CLI_HEAD = """# The command `smsgw`

What an operator does from a terminal.
This page is generated (`make docs`) from the command's own help; `smsgw --help` and `smsgw COMMAND --help` say the same.

In the checkout the command is `.venv/bin/smsgw`; `python -m smsgw` is the same.
Environment variables ([configuration.md](configuration.md#smsgw)), or a file with them (`--env-file`), say where the gateway is.
In a checkout with `make up` it reads the `.env` there and needs nothing else: try `.venv/bin/smsgw doctor`.

Results go to standard output, everything else to standard error; `--json` makes the result JSON.
Numbers and texts are masked until `--show` is given, and secrets are never shown.
The exit status is 0 when all went well, 1 when it failed, and 2 when the command line, a file or the settings cannot be used.
"""

CLI_SMS_FIELDS = "@fields\n"
CLI_FILE = """## The file of `smsgw config`

```yaml
version: 1
only_tenants: [acme]          # optional: the file is about these tenants alone, and --prune deletes nothing of others
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
  credentials:                # names of environment variables
    account_id_env: ACME_ACCOUNT  # or account_id: "9900123", since it is not secret
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
routing:                      # hours and blocked senders; the time zone is set with the tenant
- tenant: acme
  hours:
    monday: [{opens: "09:00", closes: "17:00"}]
  holidays: ["2026-12-25"]
  blocked_senders: "+1900*******;ACME;user@example.com;short code 202555"
  unlisted_extensions: DISABLE  # or ALLOW, or ALLOW_WITH_SENDER_ID as from the start
```

A trunk of the system has no `tenant` but `pools`, one for each tenant that it is lent to: `{tenant: acme, dids: …, default_did: …}`.
Its borrowers name it as they name their own trunks.
A file of some tenants alone does not contain it.

Objects are known by their names, so that a file can move between installations: a tenant by its id, everything else by tenant and name.
A field that is absent stays as it is; in a new object it gets the API's default.
Null means none.
A secret cannot be in the file; the file names the environment variable with its value.
A secret that is stored stays.
One that is not stored is read from the variable that the file names; `--replace-secrets` sets all that are named.
Numbers and masks may be written as people write them; they are compared in international form.
What can match nobody is refused.

Changes are made on the versions that were compared.
When somebody else changed an object meanwhile, it is left as it is, and the command says what was changed.
What was made before stays; importing again goes on from there.
A number that moves between two trunks can move in one import, unless the same import deletes the trunk that has it: take the number from that trunk first.
"""


def pages() -> dict[str, str]:
    """Every generated page by its file name."""
    return {
        "events.md": _events(),
        "asyncapi.json": json.dumps(_asyncapi(), indent=2) + "\n",
        "configuration.md": _configuration(),
        "cli.md": _cli(),
        PORTAL_FIELDS: _portal_fields(),
        "codes.md": _codes(),
        PORTAL_CODES: _portal_codes(),
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
    """How the form draws a field: as a switch, a number or a line of text, or in a way of its own."""
    types = {part.get("type") for part in field.get("anyOf", [field])} - {"null"}
    drawn = {"boolean": "switch", "integer": "number", "number": "number", "string": "text"}
    return drawn.get(types.pop(), "own") if len(types) == 1 else "own"


def _code_sections() -> list[dict[str, Any]]:
    """The sections of codes.toml; a row holds a cell for each of its section's columns."""
    sections: list[dict[str, Any]] = tomllib.loads((HERE / "codes.toml").read_text())["sections"]
    return sections


def _codes() -> str:
    parts = [CODES_HEAD]
    for section in _code_sections():
        columns = ["code", *section["columns"]]
        intro = section.get("intro", "").strip()
        parts += [f"## {section['title']}", "", *([intro, ""] if intro else [])]
        parts += [_row(columns), _row(["---"] * len(columns))]
        parts += [_row([f"`{code}`", *cells]) for code, cells in section["codes"].items()]
        parts.append("")
    return "\n".join(parts)


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _portal_codes() -> str:
    """The meaning of every code that a message or a dead letter can have, for the portal."""
    meanings: dict[str, str] = {}
    for section in _code_sections():
        place = section["columns"].index("meaning")
        for code, cells in section["codes"].items():
            if code in set(Code):
                meanings.setdefault(code, cells[place])
    lines = [f"  {code}: {json.dumps(meaning, ensure_ascii=False)}," for code, meaning in meanings.items()]
    return "\n".join([PORTAL_CODES_HEAD, "export const CODES = {", *lines, "};", ""])


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
