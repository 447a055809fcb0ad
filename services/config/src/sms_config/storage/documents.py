"""Records as MongoDB documents, queries as MongoDB conditions, and the indexes that they need. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel

from sms_common.events import SeenWebhook
from sms_config.model.query import Clause, Query
from sms_config.model.records import (
    SCHEMA,
    Announcement,
    ApiKeyRecord,
    AuditRecord,
    Record,
    RetiredConfig,
    SmsConfigRecord,
    StoredRecord,
    TenantRecord,
    Ticket,
    TrunkRecord,
    UserRecord,
)
from sms_config.model.rule_records import ExtensionRecord, InboundRuleRecord, OutboundRuleRecord
from sms_config.storage.store_protocol import EVERYONE, R, Tenancy

Document = dict[str, Any]

# Enough for the lane of a deleted configuration to empty, and for the 24 hours in which a carrier repeats webhooks.
RETIRED_FOR = timedelta(days=30)
WEBHOOKS_SEEN = "webhooks_seen"

_CREATED = ("created_at", ASCENDING)
INDEXES: Mapping[str, Sequence[IndexModel]] = {
    TenantRecord.COLLECTION: (IndexModel([_CREATED], name="by_age"),),
    TrunkRecord.COLLECTION: (
        IndexModel([("tenant_id", ASCENDING), _CREATED], name="by_tenant"),
        IndexModel([("pools.tenant_id", ASCENDING)], name="by_borrower"),
    ),
    SmsConfigRecord.COLLECTION: (
        IndexModel([("webhook_sha256", ASCENDING)], name="one_webhook", unique=True),
        IndexModel([("tenant_id", ASCENDING), _CREATED], name="by_tenant"),
        IndexModel([("provider_id", ASCENDING)], name="by_trunk"),
    ),
    ApiKeyRecord.COLLECTION: (
        IndexModel([("prefix", ASCENDING)], name="one_prefix", unique=True),
        IndexModel([("tenants", ASCENDING)], name="by_tenant"),
    ),
    InboundRuleRecord.COLLECTION: (IndexModel([("tenant_id", ASCENDING), _CREATED], name="by_tenant"),),
    OutboundRuleRecord.COLLECTION: (IndexModel([("tenant_id", ASCENDING), _CREATED], name="by_tenant"),),
    ExtensionRecord.COLLECTION: (
        IndexModel([("tenant_id", ASCENDING), ("extension", ASCENDING)], name="one_extension", unique=True),
    ),
    UserRecord.COLLECTION: (
        IndexModel([("name_key", ASCENDING)], name="one_name", unique=True),
        IndexModel([("tenant_id", ASCENDING), _CREATED], name="by_tenant"),
    ),
    Ticket.COLLECTION: (IndexModel([("expires_at", ASCENDING)], name="expiry", expireAfterSeconds=0),),
    AuditRecord.COLLECTION: (
        IndexModel([("at", DESCENDING), ("_id", ASCENDING)], name="newest"),
        IndexModel([("tenant_id", ASCENDING), ("at", DESCENDING), ("_id", ASCENDING)], name="newest_of_tenant"),
        IndexModel([("object_id", ASCENDING), ("version", ASCENDING)], name="by_object"),
    ),
    Announcement.COLLECTION: (IndexModel([("at", ASCENDING)], name="by_time"),),
    RetiredConfig.COLLECTION: (
        IndexModel([("at", ASCENDING)], name="expiry", expireAfterSeconds=int(RETIRED_FOR.total_seconds())),
    ),
}


def version_of(document: Mapping[str, Any] | None) -> str:
    """Return the snapshot version that a document of the meta collection holds."""
    if document is None or "number" not in document:
        return "0"
    return f"{document['number']}-{document['mark']}"


# Differs whenever a record does. The version alone is not enough: a restored backup may bring it back. Version and time
# are not enough either: secrets that are encrypted again change neither, nor does the proof of an account.
STAMP: Mapping[str, Any] = {
    "version": 1,
    "updated_at": 1,
    "proved_at": "$secrets.account_proof.changed_at",
    "keys": {"$map": {"input": {"$objectToArray": "$secrets"}, "in": "$$this.v.key_id"}},
}


def stamp_of(document: Mapping[str, Any]) -> tuple[object, ...]:
    """Return the stamp of a record from a document that holds the fields of STAMP."""
    return document["version"], document["updated_at"], document.get("proved_at"), tuple(document["keys"] or ())


def to_document(record: StoredRecord | Announcement | RetiredConfig | Ticket) -> Document:
    """Return a record as it is stored."""
    document = record.model_dump()
    document["_id"] = document.pop("id")
    return {**document, "schema": SCHEMA}


def webhook_document(webhook: SeenWebhook) -> Document:
    """Return a webhook as part of its configuration's document. MongoDB compares the first field: the time."""
    return {"at": webhook.at, "status": webhook.status, "kind": webhook.kind, "source": webhook.source}


def to_webhooks(document: Mapping[str, Any]) -> list[SeenWebhook]:
    """Return the webhooks that a configuration's document holds."""
    return [
        SeenWebhook(config_id=document["_id"], result=result, **values)
        for result, values in document.get("results", {}).items()
    ]


def with_id(document: Mapping[str, Any]) -> Document:
    """Return a document with its id under the name that records use."""
    return {**document, "id": document["_id"]}


def to_record(kind: type[R], document: Mapping[str, Any]) -> R:
    """Return a stored document as a record."""
    return kind.model_validate(with_id(document))


def visible(kind: type[StoredRecord], tenancy: Tenancy) -> Document:
    """Return the condition that limits a caller to its own tenants' records."""
    if tenancy is EVERYONE:
        return {}
    mine = sorted(tenancy or ())
    if kind is TenantRecord:
        return {"_id": {"$in": mine}}
    if kind is ApiKeyRecord:
        return {"tenants": {"$type": "array", "$not": {"$elemMatch": {"$nin": mine}}}}
    if kind is TrunkRecord:
        return {"$or": [{"tenant_id": {"$in": mine}}, {"pools.tenant_id": {"$in": mine}}]}
    return {"tenant_id": {"$in": mine}}


def identity(record: Record) -> Document:
    """Return the condition that finds a stored record: by its id and its owner."""
    match record:
        case TenantRecord():
            return {"_id": record.id}
        case ApiKeyRecord(tenants=tenants):
            return {"_id": record.id, "tenants": tenants and list(tenants)}
    return {"_id": record.id, "tenant_id": record.owner}


_COMPARISONS = {"eq": "$eq", "ne": "$ne", "gt": "$gt", "ge": "$gte", "lt": "$lt", "le": "$lte"}


def condition(kind: type[StoredRecord], query: Query, tenancy: Tenancy) -> Document:
    """Return the condition that a query by this caller puts on documents."""
    conditions = [visible(kind, tenancy), *(_clause(clause) for clause in query.clauses)]
    if query.search and query.searched:
        pattern = {"$regex": re.escape(query.search), "$options": "i"}
        conditions.append({"$or": [{_path(path): pattern} for path in query.searched]})
    return {"$and": conditions}


def _clause(clause: Clause) -> Document:
    path, values = _path(clause.path), clause.values
    match clause.operator:
        case "in":
            return {path: {"$in": list(values)}}
        case "contains":
            return {path: {"$regex": re.escape(str(values[0])), "$options": "i"}}
        case "startswith":
            return {path: {"$regex": "^" + re.escape(str(values[0])), "$options": "i"}}
        case comparison:
            return {path: {_COMPARISONS[comparison]: values[0]}}


def _path(path: str) -> str:
    return "_id" if path == "id" else path


def sort_keys(query: Query) -> list[tuple[str, int]]:
    """Return the order of a query."""
    keys = [(_path(order.path), DESCENDING if order.descending else ASCENDING) for order in query.order]
    # The id last, so that pages neither repeat nor skip a record.
    return keys if any(path == "_id" for path, _ in keys) else [*keys, ("_id", ASCENDING)]
