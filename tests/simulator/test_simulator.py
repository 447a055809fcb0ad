"""The whole simulator."""

from carrier_simulator import MessageOutcome


async def test_the_state_is_cleared_but_accounts_and_tokens_stay(api):
    await api.send(tag="t")
    api.simulator.script(MessageOutcome(final="none"), to="*")
    await api.control("POST", "/faults", {"kind": "error"})
    await api.simulator.wait_for_attempts(2)

    assert await api.control("DELETE", "/state") == (204, b"")

    _, state = await api.control("GET", "")
    assert (state["accepted"], state["webhooks"]["requests"], state["answers"], state["tokens"]["calls"]) == (
        0,
        0,
        {},
        0,
    )
    assert (await api.send(tag="again"))[0] == 202
    await api.simulator.wait_for_attempts(1, kind="message-delivered")
