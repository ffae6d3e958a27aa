"""`webwx phone fault` and `webwx phone faults`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Sandbox, Shell

from webwx.sandbox.faults import ANSWER_FAULTS, CONNECTION_FAULTS, catalogue


@pytest.fixture(autouse=True)
def _good_days_after(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.control("faults/reset", now=True)


def test_a_fault_is_active_for_the_given_number_of_times(shell: Shell, me: Shell) -> None:
    added = shell.run("phone", "fault", "ret", "ret=1205", "--endpoint", "webwxsendmsg", "--times", "1", "--json").line
    assert list(added) == ["fault", "number"]
    assert added["fault"] == "ret"
    assert "1205" in me.run("send", "filehelper", "x").sentence
    assert me.run("send", "filehelper", "x").code == 0


def test_a_fault_may_be_of_the_connection(shell: Shell, me: Shell) -> None:
    shell.run("phone", "fault", "reset-before", "--endpoint", "webwxsendmsg", "--times", "1")
    refused = me.run("send", "filehelper", "x")
    assert refused.code == 7
    assert "may or may not have been done" in refused.sentence


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["truncated:at=3,times=2,endpoint=webwxsync@0.5"], ("webwxsync", 2, 0.5, 3)),
        (["truncated:at=3@0.5", "--probability", "0.25", "--times", "4"], ("", 4, 0.25, 3)),
        (["truncated", "at=7"], ("", None, 1.0, 7)),
    ],
)
def test_a_fault_is_written_as_for_the_option_of_the_sandbox(
    shell: Shell, arguments: list[str], rule: tuple[str, int | None, float, int]
) -> None:
    assert shell.run("phone", "fault", *arguments, "--json").line["fault"] == "truncated"
    [active] = shell.run("phone", "faults", "--json").line["active"]
    assert (active["endpoint"], active["times"], active["probability"], active["options"]["at"]) == rule


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("truncated", "--times", "1"), "The fault truncated is on, for one call (number "),
        (("truncated", "--times", "3"), "The fault truncated is on, for 3 calls (number "),
        (("truncated", "--probability", "0.5"), "The fault truncated is on, until it is turned off (number "),
        (("--reset",), "All faults are off."),
        (("--seed", "7"), "The seed is 7."),
    ],
)
def test_active_faults_are_shown(shell: Shell, arguments: tuple[str, ...], sentence: str) -> None:
    assert shell.run("phone", "fault", *arguments).stdout.startswith(sentence)


def test_one_fault_is_removed_by_its_number(shell: Shell) -> None:
    number = shell.run("phone", "fault", "truncated", "--json").line["number"]
    assert shell.run("phone", "fault", "--off", str(number)).stdout == f"The fault of number {number} is off.\n"
    assert shell.run("phone", "faults", "--json").line["active"] == []
    assert shell.run("phone", "fault", "--off", str(number)).code == 2


def test_active_faults_are_listed_above_the_catalogue(shell: Shell, tmp_path: Path) -> None:
    script = tmp_path / "day.txt"
    script.write_text("empty\nlost_answer@0.5\n", "utf-8")
    shell.run("phone", "fault", "truncated", "at=3", "--endpoint", "webwxsync", "--times", "2")
    assert shell.run("phone", "fault", "--script", str(script)).stdout == "The script is on.\n"
    shown = shell.run("phone", "faults").stdout
    assert "truncated  at=3  webwxsync  0 of 2 times\n" in shown
    assert "Next in the script:\n" in shown
    assert "lost_answer  0 of 1 times  with probability 0.5\n" in shown
    for item in catalogue((*ANSWER_FAULTS, *CONNECTION_FAULTS)):
        assert f"\n  {item.name} " in shown
        assert item.does in shown


def test_the_list_is_one_object(shell: Shell) -> None:
    listed = shell.run("phone", "faults", "--json").line
    assert list(listed) == ["seed", "menu", "active", "script", "hits"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("truncatd",), "There is no fault 'truncatd'; did you mean truncated?"),
        (("truncated", "att=3"), "The fault 'truncated' has no option 'att'; it has at."),
        (("truncated:3",), "The option '3' has no value: write truncated:3=VALUE."),
        (("truncated", "3"), "The option '3' has no value: write 3=VALUE"),
        (("tls_expired",), "The fault 'tls_expired' cannot happen here: it needs TLS"),
        ((), "Pass the name of a fault, or --reset to turn off all"),
    ],
)
def test_an_invalid_rule_is_an_error_in_one_sentence(shell: Shell, arguments: tuple[str, ...], sentence: str) -> None:
    done = shell.run("phone", "fault", *arguments)
    assert done.code == 2
    assert sentence in done.sentence
