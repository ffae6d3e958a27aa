"""The catalogue of Chinese messages is complete, and the script finds what is missing or wrong."""

from __future__ import annotations

import pytest
from babel.messages.catalog import Catalog
from scripts.make_messages import mistakes_of, problems, unmarked, updated

from scripts import make_messages


def test_each_message_has_a_chinese_translation_and_none_is_stale() -> None:
    found = "\n".join(problems())
    assert not found, f"run `make messages`, and translate what it lists:\n{found}"


def test_an_update_adds_new_messages_and_removes_old_ones() -> None:
    old = Catalog()
    old.add("kept", "保留")
    old.add("gone", "消失")
    new = updated(old, {"kept", "new", ("one", "many")})
    assert {message.id: message.string for message in new if message.id} == {
        "kept": "保留", "new": "", ("one", "many"): ("",),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('raise BadInput(f"No send {number}; see it.")', ["No send ", "; see it."]),
        ('output.result(["It is done.", other])', ["It is done."]),
        ('output.remark(_("It is done."))', []),
        ('output.result(f"{number}  {name}")', []),
        ('find("It is done.")', []),
    ],
)
def test_a_text_that_is_printed_without_a_mark_is_found(source: str, found: list[str]) -> None:
    assert [*unmarked(source)] == found


@pytest.mark.parametrize(
    ("message", "translation", "mistake"),
    [
        ("Sent to {to}.", "已发送给 {to}。", ""),
        ("Sent to {to}.", "", "not translated"),
        ("Sent to {to}.", "已发送。", "placeholders"),
        ("{count:,} events", "{count} 个事件", "placeholders"),
        ("No {name!r}.", "没有 {name}。", "placeholders"),
        ("run 'webwx login' or pass --account", "请运行 'webwx login' 或带上 --account", ""),
        ("run 'webwx login' or pass --account", "请运行 'webwx logout' 或带上 --account", "options and commands"),
        ("run 'webwx login' or pass --account", "请运行 'webwx login'", "options and commands"),
        (("{count} key", "{count} keys"), ("{count} 个密钥",), ""),
        (("{count} key", "{count} keys"), ("密钥",), "placeholders"),
        ("Sent to {to}.", "已发送（成功）（成功）给 {to}。", "written twice"),
    ],
)
def test_a_translation_has_the_placeholders_and_commands_of_its_message_and_says_nothing_twice(
    message: make_messages.MessageId, translation: str | tuple[str, ...], mistake: str
) -> None:
    found = " ".join(mistakes_of(message, translation))
    assert mistake in found
    assert bool(mistake) == bool(found)
