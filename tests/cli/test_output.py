"""Results on stdout, everything else on stderr."""

from __future__ import annotations

import io

import pytest

from webwx.cli.output import Output, printable, tell_failure


class Terminal(io.StringIO):
    """Where a person reads."""

    def isatty(self) -> bool:
        return True


def test_a_result_is_a_sentence_or_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).result("你好。", name="你好")
    Output(as_json=True).result("你好。", name="你好")
    assert capsys.readouterr() == ('你好。\n{"name": "你好"}\n', "")


def test_remarks_are_for_persons(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).remark("Look.")
    Output(as_json=True).remark("Look.")
    Output(as_json=True).tell("This one matters.")
    assert capsys.readouterr() == ("", "Look.\nThis one matters.\n")


def test_what_contacts_write_cannot_steer_the_terminal() -> None:
    assert printable("a\x1b[2Jb\x9bc\rd\te\nf") == "a\ufffd[2Jb\ufffdc\ufffdd\te\nf"


@pytest.mark.parametrize(
    ("stream", "environment", "told"),
    [
        (Terminal(), {}, "\x1b[31mwebwx:\x1b[0m No.\n"),
        (Terminal(), {"NO_COLOR": ""}, "\x1b[31mwebwx:\x1b[0m No.\n"),
        (Terminal(), {"NO_COLOR": "1"}, "webwx: No.\n"),
        (Terminal(), {"TERM": "dumb"}, "webwx: No.\n"),
        (io.StringIO(), {}, "webwx: No.\n"),
    ],
)
def test_a_failure_is_red_on_a_terminal_that_does_not_mind(
    stream: io.StringIO, environment: dict[str, str], told: str
) -> None:
    tell_failure("No.", stream, environment)
    assert stream.getvalue() == told
