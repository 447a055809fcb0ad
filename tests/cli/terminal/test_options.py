"""Words that are pasted into a command line."""

import pytest

from sms_common.testing.broker import FakeBroker
from tests.cli.commands.statuses import TO, sent
from tests.cli.world import Command


@pytest.mark.parametrize("pasted", ["\ufeff{} ", "{}\u200b\n", "\u00a0{}\u2060"], ids=ascii)
async def test_pasted_words_lose_what_nobody_sees_around_them(smsgw: Command, broker: FakeBroker, pasted: str):
    words = {"--tenant": "acme", "--extension": "101", "--config": "c1", "--id": "m-1", "--from": "+12025550143"}
    options = [word for name, value in words.items() for word in (name, pasted.format(value))]

    ended = await smsgw("send", pasted.format(TO), " Hello\u200b ", *options)

    request = sent(broker)
    assert ended.status == 0, ended.err
    assert (request.tenant_id, request.extension, request.config_id, request.message_id) == ("acme", "101", "c1", "m-1")
    assert (request.sender, list(request.to)) == ("+12025550143", [TO])
    assert request.text == " Hello\u200b "  # but the text stays as it was written
