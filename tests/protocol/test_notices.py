"""Notices: said once, and shown where a program directs them."""

from protocol import notices
from protocol.notices import notice


def test_a_line_is_said_once(capsys) -> None:
    notices.forget()
    notices.direct()
    notice("a model of its own kind")
    notice("a model of its own kind")
    assert capsys.readouterr().err == "retrace: a model of its own kind\n"


def test_lines_go_where_they_are_directed_last() -> None:
    notices.forget()
    first, second = list[str](), list[str]()
    notices.direct(first.append)
    notices.direct(second.append)
    notice("one line")
    notices.direct()
    assert (first, second) == ([], ["retrace: one line"])
