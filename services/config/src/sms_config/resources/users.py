"""The users resource: the people who log in. Nobody grants more rights than they have; one administrator remains."""

from datetime import timedelta
from unicodedata import normalize

from pydantic import SecretStr

from sms_config.access.auth import Caller, FailureThrottle
from sms_config.access.passwords import Passwords
from sms_config.model.problems import Conflict, FieldProblem, Invalid, LastAdministrator, SetUpClosed
from sms_config.model.query import Clause, Column, Columns, Query
from sms_config.model.records import Role, TenantRecord, UserRecord
from sms_config.resources.changes import Change, Changes, made_by, new_id, require, require_version
from sms_config.schemas.bodies import JsonObject, SetUp, UserChange, UserCreate, UserWrite, merge, parse
from sms_config.schemas.views import UserView
from sms_config.storage.store_protocol import EVERYONE, Page, Store, StoreReader, Transaction

COLUMNS = Columns(
    by_name={
        "id": Column("id"),
        "name": Column("name"),
        "role": Column("role"),
        "tenant_id": Column("tenant_id"),
        "disabled": Column("disabled", "boolean"),
        "last_login_at": Column("last_login_at", "time"),
        "created_at": Column("created_at", "time"),
        "updated_at": Column("updated_at", "time"),
    },
    searched=("name",),
)
_PLAIN_FIELDS = ("name", "role", "tenant_id", "disabled")


class Users:
    """Reads and changes users."""

    def __init__(self, store: Store, changes: Changes, passwords: Passwords) -> None:
        self._store = store
        self._changes = changes
        self._passwords = passwords
        message = "Too many wrong passwords"
        self._guesses = FailureThrottle(changes.clock, failures=10, window=timedelta(minutes=15), message=message)

    async def find(self, caller: Caller, query: Query) -> Page[UserRecord]:
        """Return the users of the caller's tenants. Only system administrators see system administrators."""
        return await self._store.find(UserRecord, query, caller.tenancy)

    async def read(self, caller: Caller, user_id: str) -> UserRecord:
        """One user. Raises NotFound."""
        return await require(self._store, UserRecord, user_id, caller)

    async def create(self, caller: Caller, given: JsonObject) -> UserRecord:
        """Add a user. Raises Invalid, Conflict when the name is taken, Forbidden for more rights than the caller's."""
        body = parse(UserCreate, given)
        record = await self._new(caller, body)

        async def work(transaction: Transaction) -> Change[UserRecord]:
            tenant_id = await _tenant(transaction, caller, body)
            await _check_name(transaction, record)
            return Change("created", None, record.model_copy(update={"tenant_id": tenant_id}))

        return await self._changes.make(caller, work)

    async def create_first(self, caller: Caller, given: SetUp) -> UserRecord:
        """Add the first system administrator. Raises SetUpClosed when there is a user, Invalid."""
        body = UserCreate(name=given.name, role=Role.SYSTEM_ADMIN, password=given.password)
        record = await self._new(caller, body)

        async def work(transaction: Transaction) -> Change[UserRecord]:
            # If two do this at once, in any processes, the second sees the user of the first.
            await transaction.lock()
            if (await transaction.find(UserRecord, Query(top=1), EVERYONE)).count:
                raise SetUpClosed
            return Change("created", None, record)

        return await self._changes.make(caller, work)

    async def update(
        self, caller: Caller, user_id: str, given: JsonObject, *, version: int | None, replace: bool
    ) -> UserRecord:
        """Change a user. A new password ends all sessions. To change one's own, the present one must be given.

        Raises NotFound, Invalid, Conflict, Forbidden, TooManyFailures.
        """
        if "password" in given and given["password"] is None:
            raise Invalid.of("password", "cannot be removed; disable the user instead")
        before = await self.read(caller, user_id)
        body = self._merged(given, before, replace=replace)
        if caller.id == user_id and body.password is not None:
            await self._check_current_password(body, before)
        values = await self._password(body, before)

        async def work(transaction: Transaction) -> Change[UserRecord]:
            before = await require_version(transaction, UserRecord, user_id, caller, version)
            body = self._merged(given, before, replace=replace)
            _check_password(body)
            tenant_id = await _tenant(transaction, caller, body)
            named = {"name": body.name, "name_key": body.name.casefold()}
            rights = {"role": body.role, "tenant_id": tenant_id, "disabled": body.disabled}
            if values:
                values["generation"] = before.generation + 1
            after = before.changed(self._changes.clock(), caller.id, **named, **rights, **values)
            await _check_name(transaction, after)
            await _check_administrators(transaction, before, after)
            return Change("updated", before, after)

        return await self._changes.make(caller, work)

    async def delete(self, caller: Caller, user_id: str, *, version: int | None) -> None:
        """Remove a user; every session ends at once. Raises NotFound, LastAdministrator, VersionConflict."""

        async def work(transaction: Transaction) -> Change[UserRecord]:
            before = await require_version(transaction, UserRecord, user_id, caller, version)
            await _check_administrators(transaction, before, None)
            return Change("deleted", before, None)

        await self._changes.make(caller, work)

    async def _new(self, caller: Caller, body: UserCreate) -> UserRecord:
        _check_password(body)
        hashed = await self._passwords.hash(body.password)
        now = self._changes.clock()
        return UserRecord(
            id=new_id(),
            **body.model_dump(include=set(_PLAIN_FIELDS)),
            name_key=body.name.casefold(),
            password_hash=hashed,
            password_changed_at=now,
            **made_by(caller, now),
        )

    async def _check_current_password(self, body: UserChange, before: UserRecord) -> None:
        """Raise Invalid unless the present password is given: an open session alone must not be enough to change it."""
        if body.current_password is None:
            raise Invalid.of("current_password", "is required to change one's own password")
        # Counted before it is checked, as at the log-in.
        self._guesses.check(before.id, None)
        self._guesses.failed(before.id)
        # Passwords are stored normalised and without invisible characters at their ends.
        typed = SecretStr(normalize("NFKC", body.current_password.get_secret_value()).strip())
        if not await self._passwords.matches(typed, before.password_hash):
            raise Invalid.of("current_password", "is not the present password")
        self._guesses.forgive(before.id)

    def _merged(self, given: JsonObject, before: UserRecord, *, replace: bool) -> UserChange:
        base = {} if replace else {name: getattr(before, name) for name in _PLAIN_FIELDS}
        return merge(UserChange, given, base=base, view=view(before).model_dump(mode="json"))

    async def _password(self, body: UserWrite, before: UserRecord) -> dict[str, object]:
        """Return the fields of a new password. It is hashed before the transaction begins: that takes a while."""
        _check_password(body)
        if body.password is None or await self._passwords.matches(body.password, before.password_hash):
            return {}
        hashed = await self._passwords.hash(body.password)
        return {"password_hash": hashed, "password_changed_at": self._changes.clock()}


def view(record: UserRecord) -> UserView:
    """Return a user as the API shows it."""
    return UserView.model_validate(record, from_attributes=True)


def _check_password(body: UserWrite) -> None:
    if body.password is not None and body.password.get_secret_value().casefold() == body.name.casefold():
        raise Invalid.of("password", "must not be the user's name")


async def _check_name(reader: StoreReader, record: UserRecord) -> None:
    """Raise Conflict when another user has the name, in any tenant: users log in by name alone."""
    same = Query((Clause("name_key", "eq", (record.name_key,)), Clause("id", "ne", (record.id,))), top=1)
    if (await reader.find(UserRecord, same, EVERYONE)).count:
        raise Conflict("Another user has this name.", [FieldProblem(field="name", message="is taken")])


async def _tenant(reader: StoreReader, caller: Caller, body: UserWrite) -> str | None:
    """Return the tenant a user will belong to. Raises Invalid, and Forbidden for more rights than the caller's."""
    if body.role is Role.SYSTEM_ADMIN:
        caller.require_all_tenants()
        if body.tenant_id is not None:
            raise Invalid.of("tenant_id", "must be empty: a system administrator acts in all tenants")
        return None
    tenant_id = body.tenant_id or caller.only_tenant
    if tenant_id is None:
        raise Invalid.of("tenant_id", "is required for a tenant administrator")
    if await reader.get(TenantRecord, tenant_id, caller.tenancy) is None:
        raise Invalid.of("tenant_id", "is not a known tenant")
    return tenant_id


async def _check_administrators(transaction: Transaction, before: UserRecord, after: UserRecord | None) -> None:
    """Raise LastAdministrator when no system administrator would be left."""
    if not _administers(before) or (after is not None and _administers(after)):
        return
    # Without the lock, two administrators who remove each other at once could both succeed.
    await transaction.lock()
    others = (
        Clause("role", "eq", (Role.SYSTEM_ADMIN.value,)),
        Clause("disabled", "eq", (False,)),
        Clause("id", "ne", (before.id,)),
    )
    if not (await transaction.find(UserRecord, Query(others, top=1), EVERYONE)).count:
        raise LastAdministrator


def _administers(user: UserRecord) -> bool:
    return user.role is Role.SYSTEM_ADMIN and not user.disabled
