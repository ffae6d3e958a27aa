"""Faults on the command line: completion of names, scripts, and errors in one sentence."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from webwx.cli.exits import BadInput
from webwx.cli.sandbox.faults import complete_calls, complete_faults, read_script, turn_on
from webwx.cli.sandbox.phone_faults import fault
from webwx.sandbox.faults import FAULTS, FaultInjector


def offered(what: object, incomplete: str) -> list[str]:
    assert callable(what)
    return [item.value for item in what(click.Context(fault), fault.params[0], incomplete)]


def test_every_fault_and_every_call_is_completed() -> None:
    assert offered(complete_faults, "") == list(FAULTS)
    assert offered(complete_faults, "reset_a") == ["reset_at_connect", "reset_after"]
    assert offered(complete_calls, "webwxsy") == ["webwxsync"]
    assert "synccheck" in offered(complete_calls, "")


def test_a_script_has_one_fault_per_line_and_comments(tmp_path: Path) -> None:
    script = tmp_path / "day.txt"
    script.write_text("# a bad day\nempty\n\n  truncated:at=3,times=2   # twice\n", "utf-8")
    faults = FaultInjector(seed=1)
    turn_on(faults, ("html_page@0.5",), script)
    assert [(rule.name, rule.times) for rule in faults.script] == [("empty", 1), ("truncated", 2)]
    assert [rule.name for rule in faults.rules] == ["html_page"]


def test_a_typo_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(BadInput) as no:
        turn_on(FaultInjector(), ("truncatd",), None)
    assert no.value.format_message() == "There is no fault 'truncatd'; did you mean truncated?"


def test_a_script_that_is_not_text_is_an_error_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="is not a text file"):
        read_script(tmp_path / "x")
