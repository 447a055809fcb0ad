"""On a lent trunk a webhook speaks for all borrowers only once the carrier accepted its credentials for the lender's
account: proved by itself after a save, or by Test credentials, and over at once with any change.
"""

from pathlib import Path
from typing import Any

import pytest

from carrier_simulator import SimulatedAccount
from sms_common.configuration import DispatcherSnapshot
from sms_config.model.records import AuditRecord, SmsConfigRecord
from sms_config.operations.connection_tests import LACKS
from sms_config.resources import account_proofs
from sms_config.resources.account_proofs import NoProofReason
from tests.config.lent_accounts import LENDERS, OTHER, POOLS, SMS, TRUNKS, both_accounts, config, settings_for
from tests.config.people import system_admin, tenant_admin
from tests.config.world import CREDENTIALS, TRUNK
from tests.eventually import eventually_told

pytestmark = pytest.mark.loopback


@pytest.fixture
async def simulator():
    async with both_accounts() as found:
        yield found


@pytest.fixture
def settings(simulator):
    return settings_for(simulator)


@pytest.fixture
async def tenants(api):
    for name in ("acme", "globex"):
        await api.made("/api/v1/tenants", {"id": name, "name": name})


@pytest.fixture
async def trunk(api, tenants):
    """A lent trunk that names the lender's account."""
    return await api.made(TRUNKS, {**TRUNK, "pools": POOLS, "account": LENDERS})


@pytest.fixture
async def unnamed(api, tenants):
    """A lent trunk of the former state: it names no account."""
    return await api.made(TRUNKS, {**TRUNK, "pools": POOLS})


@pytest.fixture
async def globex(api, key_for, tenants):
    """Whoever administers the tenant globex."""
    return await key_for("config", tenants=["globex"])


@pytest.fixture
def proved(api, dispatcher_snapshot):
    """Whether a configuration is proved, as the API shows it and then as the dispatcher is told."""

    async def ask(config_id: str) -> bool:
        shown = (await api.get(f"{SMS}/{config_id}")).json
        found = DispatcherSnapshot.model_validate(await dispatcher_snapshot()).config(config_id)
        assert found is not None
        return bool(shown["account_proved"]) and found.account_proved

    return ask


@pytest.fixture
def tried(api):
    """Press Test credentials, and tell what the last step found."""

    async def press(config_id: str, caller=api) -> tuple[str, bool, str | None]:
        step = (await caller.call("POST", f"{SMS}/{config_id}/test-credentials")).json["steps"][-1]
        return step["step"], step["ok"], step["code"]

    return press


@pytest.fixture
def until_proved(proved):
    async def wait(config_id: str) -> None:
        await eventually_told(lambda: proved(config_id), bool)

    return wait


class TestProof:
    async def test_complete_credentials_are_proved_by_themselves_after_a_save(self, globex, trunk, until_proved, store):
        made = await globex.made(SMS, config(trunk, credentials=CREDENTIALS))

        await until_proved(made["id"])
        (proof,) = [one for one in store.records[AuditRecord].values() if one.actor == "gateway"]
        assert (proof.kind, proof.object_id, proof.changes) == ("sms_configs", made["id"], ("account_proof",))

    async def test_nobody_who_edits_meanwhile_is_disturbed(self, api, globex, trunk, until_proved):
        made = await globex.made(SMS, config(trunk, credentials=CREDENTIALS))
        assert made["account_proved"] is False
        await until_proved(made["id"])

        saved = await globex.call("PUT", f"{SMS}/{made['id']}", made, headers={"If-Match": '"1"'})

        assert (saved.status, saved.json["account_proved"]) == (200, True)

    @pytest.mark.parametrize(
        ("credentials", "last"),
        [
            pytest.param(
                {**CREDENTIALS, "api_secret": "nonsense"}, ("token", False, "credentials_refused"), id="wrong"
            ),
            pytest.param(OTHER, ("lender", True, "another_account"), id="of another account"),
            pytest.param(
                {**OTHER, "account_id": LENDERS},
                ("account", False, "credentials_refused"),
                id="for the lender's account",
            ),
            pytest.param({"account_id": LENDERS}, ("complete", False, "config_incomplete"), id="incomplete"),
        ],
    )
    async def test_other_credentials_prove_nothing(self, globex, trunk, tried, proved, credentials, last):
        made = await globex.made(SMS, config(trunk, credentials=credentials))

        assert await tried(made["id"], globex) == last
        assert not await proved(made["id"])

    async def test_typed_credentials_that_are_not_stored_prove_nothing(self, globex, trunk, proved):
        made = await globex.made(SMS, config(trunk))

        answer = await globex.call("POST", f"{SMS}/{made['id']}/test-credentials", {"credentials": CREDENTIALS})

        assert [step["step"] for step in answer.json["steps"]] == ["complete", "token", "account"]
        assert not await proved(made["id"])

    async def test_a_trunk_of_ones_own_proves_nothing_and_names_no_account(self, api, globex):
        own = await globex.made(TRUNKS, {**TRUNK, "dids": "3015550100"})
        made = await globex.made(SMS, config(own, credentials=CREDENTIALS))
        refused = await globex.call("PATCH", f"{TRUNKS}/{own['id']}", {"account": LENDERS})

        assert made["account_proved"] is None
        assert (refused.status, list(refused.field_errors())) == (422, ["account"])

    async def test_who_borrows_a_trunk_neither_sees_nor_sets_the_account(self, globex, trunk):
        shown = (await globex.get(f"{TRUNKS}/{trunk['id']}")).json
        changed = await globex.call("PATCH", f"{TRUNKS}/{trunk['id']}", {"account": OTHER["account_id"]})

        assert (shown["account"], changed.status) == (None, 403)

    @pytest.mark.parametrize("given", ["55\u200b00777", "ünï", "1" * 65])
    async def test_an_account_that_none_can_have_is_refused(self, api, trunk, given):
        answer = await api.call("PATCH", f"{TRUNKS}/{trunk['id']}", {"account": given})

        assert (answer.status, list(answer.field_errors())) == (422, ["account"])


CHANGES: dict[str, dict[str, Any]] = {
    "the secret": {"credentials": {"api_secret": "nonsense"}},
    "the token": {"credentials": {"api_token": "nonsense"}},
    "the account": {"credentials": {"account_id": OTHER["account_id"]}},
    "a credential that is none of the proof": {"credentials": {"application_id": None}},
    "all of them": {"credentials": None},
}


class TestEnd:
    @pytest.fixture
    async def made(self, globex, trunk, until_proved):
        made = await globex.made(SMS, config(trunk, credentials=CREDENTIALS))
        await until_proved(made["id"])
        return made

    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
    async def test_a_change_ends_it_at_once(self, globex, made, proved, change):
        changed = await globex.call("PATCH", f"{SMS}/{made['id']}", change)

        assert (changed.status, changed.json["account_proved"]) == (200, False)
        assert not await proved(made["id"])

    async def test_another_account_of_the_trunk_ends_it(self, api, trunk, made, proved):
        await api.call("PATCH", f"{TRUNKS}/{trunk['id']}", {"account": OTHER["account_id"]})
        assert not await proved(made["id"])

    async def test_another_trunk_ends_it(self, api, made, proved, globex):
        other = await api.made(
            TRUNKS, {**TRUNK, "name": "Another trunk", "pools": [{"tenant_id": "globex", "dids": "4015550100"}]}
        )
        await globex.call("PATCH", f"{SMS}/{made['id']}", {"provider_id": other["id"]})
        assert not await proved(made["id"])

    async def test_what_is_not_of_the_proof_does_not_end_it(self, globex, made, proved):
        for change in ({"name": "Renamed"}, {"enabled": False}, {"limits": {"segments_per_second": 1}}):
            await globex.call("PATCH", f"{SMS}/{made['id']}", change)
        await globex.call("POST", f"{SMS}/{made['id']}/rotate-webhook", {})
        assert await proved(made["id"])

    async def test_another_good_secret_is_proved_again(self, globex, made, until_proved):
        changed = await globex.call("PATCH", f"{SMS}/{made['id']}", {"credentials": {"api_secret": "a-second-secret"}})
        assert changed.json["account_proved"] is False
        await until_proved(made["id"])

    async def test_a_carrier_that_refuses_them_from_now_on_ends_it(self, globex, made, simulator, tried, proved):
        simulator.put_account(SimulatedAccount.model_validate({"account_id": LENDERS, "credentials": []}))

        assert await tried(made["id"], globex) == ("token", False, "credentials_refused")
        assert not await proved(made["id"])

    async def test_they_are_looked_at_again_after_a_day(self, api, globex, made, simulator, clock, proved):
        simulator.put_account(SimulatedAccount.model_validate({"account_id": LENDERS, "credentials": []}))
        clock.pass_time(hours=24)
        await api.made("/api/v1/tenants", {"id": "third", "name": "Any change wakes"})

        await eventually_told(lambda: proved(made["id"]), lambda answer: not answer)

    async def test_a_proof_that_was_moved_to_another_record_does_not_open(self, globex, trunk, made, store, proved):
        other = await globex.made(SMS, config(trunk, credentials={**CREDENTIALS, "api_secret": "nonsense"}))
        records = store.records[SmsConfigRecord]
        stolen = {**records[other["id"]].secrets, "account_proof": records[made["id"]].secrets["account_proof"]}
        records[other["id"]] = records[other["id"]].model_copy(update={"secrets": stolen})
        store.number += 1

        assert not await proved(other["id"])


class TestFormerState:
    """A lent trunk that names no account."""

    async def test_credentials_that_a_system_administrator_entered_name_it(self, api, unnamed, until_proved, store):
        made = await api.made(SMS, config(unnamed, credentials=CREDENTIALS))

        await until_proved(made["id"])
        assert (await api.get(f"{TRUNKS}/{unnamed['id']}")).json["account"] == LENDERS
        named = [one for one in store.records[AuditRecord].values() if one.object_id == unnamed["id"]]
        assert [(one.actor, one.changes) for one in named[1:]] == [("gateway", ("account",))]

    @pytest.mark.parametrize("by", ["key", "person"])
    async def test_a_tenants_own_credentials_name_nothing(self, api, browser, globex, unnamed, tried, proved, by):
        if by == "person":
            await api.made("/api/v1/users", tenant_admin("gil", "globex"))
            assert (await browser.log_in("gil")).status == 201
            made = (await browser.call("POST", SMS, config(unnamed, credentials=OTHER))).json
        else:
            made = await globex.made(SMS, config(unnamed, credentials=OTHER))

        assert await tried(made["id"]) == ("lender", True, "account_not_named")
        assert not await proved(made["id"])
        assert (await api.get(f"{TRUNKS}/{unnamed['id']}")).json["account"] is None

    async def test_a_tenant_that_changed_one_of_them_since_names_nothing(self, api, globex, unnamed, tried, clock):
        made = await api.made(SMS, config(unnamed, credentials={**OTHER, "account_id": LENDERS}))
        clock.pass_time(seconds=1)
        await globex.call("PATCH", f"{SMS}/{made['id']}", {"credentials": {"account_id": OTHER["account_id"]}})

        assert await tried(made["id"]) == ("lender", True, "account_not_named")

    async def test_two_accounts_that_administrators_entered_leave_it_to_a_person(
        self, api, unnamed, tried, until_proved
    ):
        draft = {name: value for name, value in CREDENTIALS.items() if name != "api_secret"}
        await api.made(SMS, config(unnamed, "acme", credentials=draft))
        other = await api.made(SMS, config(unnamed, credentials=OTHER))
        assert await tried(other["id"]) == ("lender", True, "account_not_named")

        await api.call("PATCH", f"{TRUNKS}/{unnamed['id']}", {"account": OTHER["account_id"]})
        await until_proved(other["id"])


PASSWORD = {"callback": {"username": "bandwidth", "password": "of-the-tenant"}}
OF_SYSTEM = {"callback": {"username": "bandwidth", "password": "of-the-system"}}


class TestCallback:
    """Who enters the callback password can call the webhook."""

    async def test_of_a_tenant_and_credentials_of_an_administrator_prove_nothing(
        self, api, globex, trunk, tried, proved
    ):
        made = await globex.made(SMS, config(trunk, **PASSWORD))
        await api.call("PATCH", f"{SMS}/{made['id']}", {"credentials": CREDENTIALS})

        assert await tried(made["id"]) == ("lender", True, "callback_of_tenant")
        assert not await proved(made["id"])

    async def test_a_tenant_that_enters_its_own_later_ends_the_proof(
        self, api, globex, trunk, tried, proved, until_proved, clock
    ):
        made = await globex.made(SMS, config(trunk))
        await api.call("PATCH", f"{SMS}/{made['id']}", {"credentials": CREDENTIALS, **OF_SYSTEM})
        await until_proved(made["id"])
        clock.pass_time(seconds=1)
        await globex.call("PATCH", f"{SMS}/{made['id']}", PASSWORD)

        assert await tried(made["id"]) == ("lender", True, "callback_of_tenant")
        assert not await proved(made["id"])

    async def test_of_one_who_has_the_credentials_is_fine(self, globex, trunk, until_proved):
        made = await globex.made(SMS, config(trunk, credentials=CREDENTIALS, **PASSWORD))
        await until_proved(made["id"])

    async def test_of_an_administrator_is_fine(self, api, trunk, until_proved):
        made = await api.made(SMS, config(trunk, credentials=CREDENTIALS, **PASSWORD))
        await until_proved(made["id"])

    @pytest.mark.parametrize(
        "touched",
        [{"application_id": "another-application"}, {"account_id": LENDERS}, {"api_token": CREDENTIALS["api_token"]}],
        ids=["application", "account", "token"],
    )
    async def test_credentials_stay_an_administrators_while_he_alone_entered_the_secret(
        self, api, globex, trunk, tried, proved, touched, clock
    ):
        made = await api.made(SMS, config(trunk, credentials=CREDENTIALS, **OF_SYSTEM))
        clock.pass_time(seconds=1)
        change = {"credentials": touched, **PASSWORD}
        assert (await globex.call("PATCH", f"{SMS}/{made['id']}", change)).status == 200

        assert await tried(made["id"]) == ("lender", True, "callback_of_tenant")
        assert not await proved(made["id"])

    async def test_who_entered_it_is_not_forgotten_over_many_changes(
        self, api, globex, trunk, tried, proved, clock, monkeypatch
    ):
        monkeypatch.setattr(account_proofs, "_AUDITED", 5)
        made = await api.made(SMS, config(trunk, credentials=CREDENTIALS, **OF_SYSTEM))
        clock.pass_time(seconds=1)
        await globex.call("PATCH", f"{SMS}/{made['id']}", PASSWORD)
        for number in range(5):
            await globex.call("PATCH", f"{SMS}/{made['id']}", {"name": f"Name {number}"})

        assert await tried(made["id"]) == ("lender", True, "callback_of_tenant")
        assert not await proved(made["id"])

    async def test_a_deleted_administrators_credentials_do_not_become_the_tenants(
        self, api, browser, globex, trunk, tried, proved, clock
    ):
        user = await api.made("/api/v1/users", system_admin("sue"))
        assert (await browser.log_in("sue")).status == 201
        made = (await browser.call("POST", SMS, config(trunk, credentials=CREDENTIALS, **OF_SYSTEM))).json
        await api.made("/api/v1/users", system_admin("another"))
        assert (await api.call("DELETE", f"/api/v1/users/{user['id']}")).status == 204
        clock.pass_time(seconds=1)
        await globex.call("PATCH", f"{SMS}/{made['id']}", PASSWORD)

        assert await tried(made["id"]) == ("lender", True, "callback_of_tenant")
        assert not await proved(made["id"])

    async def test_without_one_the_tenant_that_reads_the_address_proves_nothing(
        self, api, globex, trunk, tried, proved, until_proved
    ):
        made = await api.made(SMS, config(trunk, credentials=CREDENTIALS))
        assert (await globex.get(f"{SMS}/{made['id']}")).json["webhook"].count("*") == 0

        assert await tried(made["id"]) == ("lender", True, "callback_missing")
        assert not await proved(made["id"])

        await api.call("PATCH", f"{SMS}/{made['id']}", OF_SYSTEM)
        await until_proved(made["id"])

    @pytest.mark.parametrize("who", ["key", "person"])
    async def test_without_one_a_proof_ends_when_somebody_of_the_tenant_may_read_the_address(
        self, api, trunk, until_proved, proved, key_for, who
    ):
        made = await api.made(SMS, config(trunk, credentials=CREDENTIALS))
        await until_proved(made["id"])

        if who == "key":
            await key_for("config", tenants=["globex", "acme"])
        else:
            await api.made("/api/v1/users", tenant_admin("gil", "globex"))
        await eventually_told(lambda: proved(made["id"]), lambda answer: not answer)

    async def test_without_one_who_may_only_read_hinders_no_proof(self, api, trunk, until_proved, key_for):
        await key_for("read", tenants=["globex"])
        made = await api.made(SMS, config(trunk, credentials=CREDENTIALS))
        await until_proved(made["id"])


def test_every_lack_has_its_sentence_and_is_explained_to_operators():
    text = (Path(__file__).parents[3] / "docs" / "codes.md").read_text()

    assert set(LACKS) == set(NoProofReason)
    assert [code.value for code in NoProofReason if f"| `{code.value}` |" not in text] == []
