"""Initiates the replica set of one node and gives each service a user that sees its own database only. Safe to repeat.

Reads MONGO_HOST, MONGO_USERNAME, MONGO_PASSWORD (the root user that the image made) and MONGO_USERS, a JSON object of
{database: password}; the user of a database has the database's name.
"""

import json
import os
import time

import pymongo
from pymongo.errors import ConnectionFailure, OperationFailure

NOT_YET_INITIALIZED = 94
USER_NOT_FOUND = 11
# The first start of the image runs mongod twice before it listens to others.
WAIT_SECONDS = 120
ROLES = ("readWrite", "dbAdmin")


def main() -> None:
    """Wait for the server, make it the primary of rs0, then make or update the users."""
    settings = os.environ  # noqa: TID251  # a script of its own, mounted into a container
    host = settings["MONGO_HOST"]
    client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(
        host,
        directConnection=True,
        username=settings["MONGO_USERNAME"],
        password=settings["MONGO_PASSWORD"],
        serverSelectionTimeoutMS=2_000,
    )
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_primary(client, host):
        if time.monotonic() > deadline:
            raise SystemExit(f"{host} did not become the primary of rs0 within {WAIT_SECONDS} s")
        time.sleep(0.5)
    for database, password in json.loads(settings["MONGO_USERS"]).items():
        grant(client, database, password)
    print(f"rs0 has a primary at {host}; every service's user is in place")  # noqa: T201  # its log is its answer


def is_primary(client: "pymongo.MongoClient[dict[str, object]]", host: str) -> bool:
    """Whether the server takes writes; a server that has no replica set yet is told to start one."""
    try:
        if client.admin.command("hello").get("isWritablePrimary"):
            return True
        client.admin.command("replSetGetStatus")
    except ConnectionFailure:
        return False
    except OperationFailure as failure:
        if failure.code != NOT_YET_INITIALIZED:
            raise
        client.admin.command("replSetInitiate", {"_id": "rs0", "members": [{"_id": 0, "host": host}]})
    return False


def grant(client: "pymongo.MongoClient[dict[str, object]]", database: str, password: str) -> None:
    """Make the user of a database, or give the existing one the password and roles of today."""
    try:
        client[database].command("updateUser", database, pwd=password, roles=list(ROLES))
    except OperationFailure as failure:
        if failure.code != USER_NOT_FOUND:
            raise
        client[database].command("createUser", database, pwd=password, roles=list(ROLES))


if __name__ == "__main__":
    main()
