"""Results on stdout, everything else on stderr."""

from __future__ import annotations

import pytest

from webwx.cli.output import Output, printable


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
