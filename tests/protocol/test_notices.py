"""Notices: said once, and shown where a program directs them."""

from protocol import notices
from protocol.notices import notice


def test_a_line_is_said_once(capsys) -> None:
    notices.reset()
    notices.direct()
    notice("a model of its own kind")
    notice("a model of its own kind")
    assert capsys.readouterr().err == "retrace: a model of its own kind\n"


def test_lines_go_where_they_are_directed_last() -> None:
    notices.reset()
    first, second = list[str](), list[str]()
    notices.direct(first.append)
    notices.direct(second.append)
    notice("one line")
    notices.direct()
    assert (first, second) == ([], ["retrace: one line"])


def test_what_a_parent_has_said_is_not_said_again() -> None:
    notices.reset()
    shown = list[str]()
    notices.direct(shown.append)
    notices.take_for_said(["of the parent"])
    notice("of the parent")
    notice("of its own")
    notices.direct()
    assert shown == ["retrace: of its own"]
    assert notices.said() == {"of the parent", "of its own"}
