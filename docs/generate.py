"""Writes the reference pages that come from the code: events.md, asyncapi.json, configuration.md and cli.md.

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
from sms_common import events, topology
from sms_config.settings import Settings as ConfigSettings
from sms_dispatcher.settings import Settings as DispatcherSettings
from sms_ingress.settings import Settings as IngressSettings
from smsgw.main import app as smsgw
from smsgw.settings import Settings as SmsgwSettings

HERE = Path(__file__).parent
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

## How a text is routed

**In.** The tenant that owns the number gets the text, and `route` says where it should go: `kind` is `extension`, `ring_group`, `queue`, `number` or
`voicemail` when an inbound rule decides (`rule_id`), and `did` when none does, `destination` then being the number itself. Office hours are those
of `provider_time` in the tenant's time zone. What a rule discards, and what comes from a blocked sender, is told to nobody.

**Out.** The tenant's outbound rules decide for each recipient by which SMS configurations the text may leave, in which order, and whether and when.

* A rule that is closed refuses (`blocked_by_rule`) or holds until it opens, also what names `config_id` or `from`. It looks at `send_after` when that
  is given, and decides once: what was held is sent when it is due, whatever the rules say by then.
* `config_id` and `from` limit the rule's routes to those that fit. When none does, the configuration that is named, or has the sender, is used.
* Without `from` the sender is, in this order: the number the customer wrote to (of the conversation in `conversation_id` when that is ours, else the
  latest), the configuration's sender id if the extension may use it, the extension's caller id on that trunk, the route's, the sender id, and the
  trunk's default number. A number that the configuration's trunk does not have is passed over.
* Without a rule the configuration is the one that is named, or has the sender, or the conversation's number, or else the tenant's default.
* When a carrier refuses account, credentials or sender before taking the text, the next route is tried: `queued`, with the new `config_id` and `from`.
  Never when the recipient or the text is the reason, and never once an answer was lost.

`to` is always as it was asked, whatever number a route makes of it for its carrier. `smsgw explain` tells all of this for a text that is not sent.
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
  enabled: true
  sender_id: null
  failure_policy: hold
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
  prefixes: "44;49"
  closed: hold
  routes:
  - config: Main line
    caller_id: "+12025550142"
routing:                      # hours and blocked senders; the time zone stands with the tenant
- tenant: acme
  hours:
    monday: [{opens: "09:00", closes: "17:00"}]
  holidays: ["2026-12-25"]
  blocked_senders: "900*******"
```

A trunk of the system has no `tenant` but `pools`, one for each tenant that it is lent to: `{tenant: acme, dids: …,
default_did: …}`. Its borrowers name it as they name their own trunks. A file of some tenants alone does not hold it.

Objects are known by their names, so a file moves between installations: a tenant by its id, everything
else by tenant and name. A field that is absent stays as it is (in a new object: the API's default); null means none. A secret that is stored
stays; one that is not stored is read from the variable that the file names, and `--replace-secrets` sets all that are named.
Numbers and masks may be written as people write them; they are compared in international form.

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
    }


def _events() -> str:
    parts = [EVENTS_HEAD, "## Exchanges and queues\n", topology.markdown(), ""]
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


def _cli() -> str:
    """The help of every command, from the tree of commands that typer makes."""
    parts = [CLI_HEAD]
    root = typer.main.get_command(smsgw)
    parts += ["## smsgw", "", *_command(root)]
    for name, command in root.commands.items():  # type: ignore[attr-defined]  # the root is a group
        parts += [f"## smsgw {name}", "", *_command(command)]
        for inner, subcommand in getattr(command, "commands", {}).items():
            parts += [f"### smsgw {name} {inner}", "", *_command(subcommand)]
    return "\n".join([*parts, CLI_FILE])


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
