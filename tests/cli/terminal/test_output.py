"""What is printed for a person or a program."""

import pytest

from smsgw.terminal import output


def test_control_characters_of_others_are_not_printed(capsys: pytest.CaptureFixture[str]):
    output.say("a\x1b[2Jb\nc")
    assert capsys.readouterr().out == "a\ufffd[2Jb\nc\n"


def test_a_note_is_no_part_of_the_result(capsys: pytest.CaptureFixture[str]):
    output.note("beside it")
    output.write_json({"count": 1})
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ('{"count":1}\n', "beside it\n")


def test_empty_cells_and_empty_facts_are_left_out(capsys: pytest.CaptureFixture[str]):
    output.table(("id", "error"), [("m1", None)])
    output.pairs({"id": "m1", "error": None, "media": []})
    printed = capsys.readouterr().out.split()
    assert printed == ["id", "error", "m1", "id", "m1"]


@pytest.mark.parametrize(("show", "shown"), [(True, "+13125550100"), (False, "+1312***0100")])
def test_a_number_is_masked_unless_it_is_asked_for(show: bool, shown: str):
    assert output.number("+13125550100", show=show) == shown
    assert output.number(None, show=show) == ""


@pytest.mark.parametrize(("count", "words"), [(0, "0 messages"), (1, "1 message"), (2, "2 messages")])
def test_a_count_has_its_noun(count: int, words: str):
    assert output.counted(count, "message") == words
