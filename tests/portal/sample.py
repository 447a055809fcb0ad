"""Made-up customers, trunks, configurations, people and messages, so that pages have something to show."""

import json
from typing import Any

from tests.portal.served import Served

PASSWORD = "a password of the tests"
_CREDENTIALS = {
    "account_id": "9900123",
    "application_id": "93de2206-9669-4e07-948d-329f4b722ee2",
    "api_token": "token",
    "api_secret": "secret",
}
_TIMES = (
    "2026-11-24T14:02:11.120Z",
    "2026-11-24T13:58:40.000Z",
    "2026-11-24T11:31:05.500Z",
    "2026-11-24T10:12:47.000Z",
    "2026-11-23T17:45:12.900Z",
)


def fill(served: Served) -> dict[str, str]:
    """Make everything; the ids of one object of each kind."""
    for tenant_id, name in (("acme", "Acme Dental"), ("harbor", "Harbor Logistics"), ("north", "Northside Clinic")):
        zone = {"country": "US", "time_zone": "America/New_York"}
        served.api("POST", "tenants", {"id": tenant_id, "name": name, **zone})
    trunks = {}
    for tenant_id, name, area in (
        ("acme", "Acme main", "202"),
        ("acme", "Acme toll-free", "833"),
        ("harbor", "Harbor", "305"),
    ):
        pool = {"dids": f"+1{area}5550140-+1{area}5550149; +1{area}5550160", "default_did": f"+1{area}5550143"}
        given = {"name": name, "brand": "Bandwidth", "tenant_id": tenant_id, "hostname": "sip.example.com", **pool}
        trunks[name] = served.api("POST", "trunks", given)["id"]
    config = served.api(
        "POST",
        "sms",
        {
            "name": "Front desk",
            "provider_id": trunks["Acme main"],
            "sender_id": "+12025550143",
            "credentials": _CREDENTIALS,
            "callback": {"username": "bandwidth", "password": "callback password"},
        },
    )
    for name, trunk, values in (
        ("Reminders", "Acme main", {"credentials": _CREDENTIALS, "enabled": False}),
        ("Toll-free campaign", "Acme toll-free", {"credentials": {"account_id": "9900123"}}),
        ("Dispatch", "Harbor", {"credentials": _CREDENTIALS, "failure_policy": "fail"}),
    ):
        served.api("POST", "sms", {"name": name, "provider_id": trunks[trunk], **values})
    served.api("PATCH", f"sms/{config['id']}", {"failure_policy": "resend"})
    rules = _rules(served, trunks, config["id"])
    served.api("POST", "users", {"name": "admin", "role": "system_admin", "password": PASSWORD})
    for name, tenant_id, disabled in (("ann@acme.example", "acme", False), ("hal@harbor.example", "harbor", True)):
        given = {"name": name, "role": "tenant_admin", "tenant_id": tenant_id, "password": PASSWORD}
        served.api("POST", "users", {**given, "disabled": disabled})
    key = served.api("POST", "api-keys", {"name": "PortSIP main", "scopes": ["read", "send"], "tenants": ["acme"]})
    served.api("POST", "api-keys", {"name": "Provisioning", "scopes": ["config"]})
    user = served.api("GET", "users?name=ann@acme.example")["items"][0]
    return {"sms": config["id"], "trunks": trunks["Acme main"], "users": user["id"], "keys": key["id"], **rules}


def _rules(served: Served, trunks: dict[str, str], front_desk: str) -> dict[str, str]:
    """Acme's office hours, rules and extensions, and a trunk that is lent; the ids of one of each."""
    toll_free = served.api("GET", "sms?filter=name eq 'Toll-free campaign'".replace(" ", "%20"))["items"][0]["id"]
    week = {day: [{"opens": "08:00", "closes": "12:30"}, {"opens": "13:30", "closes": "17:30"}] for day in _WEEK[:4]}
    served.api(
        "PATCH",
        "routing?tenant_id=acme",
        {
            "hours": {**week, "friday": [{"opens": "08:00", "closes": "13:00"}]},
            "holidays": ["2026-11-26", "2026-12-25", "2027-01-01"],
            "blocked_senders": "+13125550199;1900*******",
        },
    )
    made = {}
    for path, bodies in _RULES.items():
        for body in bodies:
            text = json.dumps({**body, "tenant_id": "acme"})
            for name, found in (("FRONT_DESK", front_desk), ("TOLL_FREE", toll_free), ("TRUNK", trunks["Acme main"])):
                text = text.replace(name, found)
            made[path] = served.api("POST", path, json.loads(text))["id"]
    pools = [
        {"tenant_id": "acme", "dids": "+14155550100-+14155550119", "default_did": "+14155550100"},
        {"tenant_id": "harbor", "dids": "+14155550120-+14155550129"},
        {"tenant_id": "north", "dids": "+14155550160"},
    ]
    lent = served.api("POST", "trunks", {"name": "West Coast", "brand": "Bandwidth", "pools": pools})
    return {
        "inbound": made["inbound-rules"],
        "outbound": made["outbound-rules"],
        "extensions": made["extensions"],
        "lent": lent["id"],
    }


_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday")
_RULES: dict[str, list[dict[str, Any]]] = {
    "inbound-rules": [
        {
            "name": "Everything else",
            "office": {"kind": "ring_group", "destination": "600"},
            "outside": {"kind": "voicemail", "destination": "600"},
            "holiday": {"kind": "discard"},
        },
        {
            "name": "The laboratory",
            "channels": ["SMS"],
            "did_numbers": "202 555 0160",
            "caller_mask": "13125550100;1312556****",
            "office": {"kind": "queue", "destination": "700"},
            "own_hours": {"saturday": [{"opens": "09:00", "closes": "12:00"}]},
            "outside": {"kind": "number", "destination": "+13125550177"},
            "enabled": False,
        },
        {
            "name": "Dentists, one to one",
            "priority": 500,
            "config_ids": ["FRONT_DESK"],
            "did_numbers": "202 555 0140 - 202 555 0149",
            "office": {"kind": "extension", "destination": "100-109"},
        },
    ],
    "outbound-rules": [
        {
            "name": "Reception",
            "extensions": "100-109;199",
            "groups": ["reception"],
            "strategy": "RANDOMLY",
            "routes": [{"config_id": "FRONT_DESK", "weight": 3}, {"config_id": "TOLL_FREE", "enabled": False}],
        },
        {
            "name": "Reminders wait until the office opens",
            "priority": 100,
            "prefixes": "1",
            "lengths": [11],
            "categories": ["transactional", "marketing"],
            "closed": "hold",
            "routes": [{"config_id": "TOLL_FREE"}, {"config_id": "FRONT_DESK", "caller_id": "2025550143"}],
        },
    ],
    "extensions": [
        {"extension": "199", "permission": "DISABLE"},
        {
            "extension": "101",
            "permission": "ALLOW",
            "caller_ids": [
                {"number": "2025550141", "trunk_id": "TRUNK", "description": "Dr. Lane"},
                {"number": "2025550149", "trunk_id": "TRUNK"},
            ],
            "groups": ["dentists", "reception"],
        },
    ],
}


def _message(number: int, text: str, status: str, steps: list[str], **values: Any) -> dict[str, Any]:
    inbound = values.get("direction") == "IN"
    ours, theirs = "+12025550143", f"+1312555010{number}"
    time = _TIMES[number % len(_TIMES)]
    delivery = {"delivered": "DELIVERED", "failed": "ERR", "received": "RECV"}.get(status, "SENT")
    return {
        "id": f"8f14e45f-ceea-467f-9b2a-00000000000{number}",
        "tenant_id": "acme",
        "parent_id": None,
        "config_id": "front-desk",
        "sender": theirs if inbound else ours,
        "receiver": ours if inbound else theirs,
        "recipients": [ours if inbound else theirs],
        "did": ours,
        "direction": "OUT",
        "msg_type": "SMS",
        "content": text,
        "media": [],
        "status": status,
        "final": status != "submitted",
        "delivery": delivery,
        "reason": None,
        "error": None,
        "provider_msg_id": f"1764000000{number}",
        "segments": 1,
        "attempt": 1,
        "extension": "101",
        "conversation_id": None,
        "client_ref": None,
        "time": time,
        "updated_at": time,
        "history": [{"status": step, "at": time, "sequence": place + 1} for place, step in enumerate(steps)],
        **values,
    }


_OPTED_OUT = {
    "class": "permanent",
    "code": "opted_out",
    "carrier_code": "4732",
    "carrier_text": "receiver-opted-out",
    "advice": "Do not send to this recipient again until it opts in.",
}
_WAY = ["accepted", "submitted", "sent"]
FAILED = _message(
    2, "Your invoice 4711 is ready.", "failed", [*_WAY, "failed"], error=_OPTED_OUT, reason="The recipient opted out."
)
FAILED["history"][-1] |= {"code": "opted_out", "carrier_code": "4732"}
_ALL = (
    _message(1, "Hi Sam, your appointment is tomorrow at 9:30. Reply C to confirm.", "delivered", [*_WAY, "delivered"]),
    _message(0, "C", "received", ["accepted"], direction="IN"),
    FAILED,
    _message(3, "The truck is 10 minutes away.", "submitted", ["accepted", "submitted"]),
    _message(4, "Photo of the delivery", "delivered", [*_WAY, "delivered"], msg_type="MMS", media=["https://x/1.jpg"]),
)
MESSAGES = {message["id"]: message for message in sorted(_ALL, key=lambda message: message["time"], reverse=True)}
EXPLAINED: dict[str, dict[str, Any]] = {
    "outbound": {
        "to": "+13125550101",
        "config_id": "toll-free",
        "config_name": "Toll-free campaign",
        "sender": "+18335550143",
        "sender_reason": "The trunk's default number.",
        "rule_id": "reminders",
        "reason": "Rule 'Reminders wait until the office opens' keeps texts until the office opens.",
        "routes": [
            {
                "config_id": "toll-free",
                "config_name": "Toll-free campaign",
                "to": "+13125550101",
                "sender": "+18335550143",
                "reason": "The trunk's default number.",
            },
            {
                "config_id": "front-desk",
                "config_name": "Front desk",
                "to": "+13125550101",
                "sender": "+12025550143",
                "reason": "The route's caller id.",
            },
        ],
        "verdicts": [
            {"rule_id": "reception", "name": "Reception", "won": False, "reason": "It is for other groups."},
            {"rule_id": "reminders", "name": "Reminders wait until the office opens", "won": True, "reason": ""},
        ],
        "lane": "sms.lane.toll-free.bulk",
        "bulk": True,
        "msg_type": "SMS",
        "segments": 2,
        "encoding": "UCS-2",
        "held_until": "2026-11-25T13:00:00Z",
        "rejection": None,
    },
    "inbound": {
        "did": "+12025550143",
        "tenant_id": "acme",
        "config_id": "front-desk",
        "blocked": False,
        "route": {
            "rule_id": "dentists",
            "kind": "extension",
            "destination": "103",
            "reason": "Rule 'Dentists, one to one' matches; it is office time.",
        },
        "period": "office",
        "verdicts": [
            {
                "rule_id": "everything",
                "name": "Everything else",
                "won": False,
                "reason": "It matches, but rule 'Dentists, one to one' is closer.",
            },
            {"rule_id": "laboratory", "name": "The laboratory", "won": False, "reason": "It is disabled."},
            {"rule_id": "dentists", "name": "Dentists, one to one", "won": True, "reason": ""},
        ],
        "rejection": None,
    },
}
