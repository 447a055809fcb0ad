"""Made-up customers, trunks, configurations, people and messages, so that pages have something to show."""

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
    served.api("POST", "users", {"name": "admin", "role": "system_admin", "password": PASSWORD})
    for name, tenant_id, disabled in (("ann@acme.example", "acme", False), ("hal@harbor.example", "harbor", True)):
        given = {"name": name, "role": "tenant_admin", "tenant_id": tenant_id, "password": PASSWORD}
        served.api("POST", "users", {**given, "disabled": disabled})
    key = served.api("POST", "api-keys", {"name": "PortSIP main", "scopes": ["read", "send"], "tenants": ["acme"]})
    served.api("POST", "api-keys", {"name": "Provisioning", "scopes": ["config"]})
    user = served.api("GET", "users?name=ann@acme.example")["items"][0]
    return {"sms": config["id"], "trunks": trunks["Acme main"], "users": user["id"], "keys": key["id"]}


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
