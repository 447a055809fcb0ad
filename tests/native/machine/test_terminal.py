"""What the person at the terminal sees."""

from io import StringIO

from sms_native.machine.terminal import Terminal


def test_each_line_has_the_name_of_its_service():
    out = StringIO()
    terminal = Terminal(out)
    terminal.line("config", "ready")
    terminal.say("stopping")
    terminal.show("as it is")
    assert out.getvalue().splitlines() == ["    config | ready", "stopping", "as it is"]


def test_two_services_have_two_colours_where_colours_are_shown():
    out = StringIO()
    terminal = Terminal(out, colour=True)
    for name in ("config", "ingress", "config"):
        terminal.line(name, "ready")
    first, second, third = (line.partition(" ")[0] for line in out.getvalue().splitlines())
    assert first == third != second
