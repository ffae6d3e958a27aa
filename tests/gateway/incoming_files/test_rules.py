"""Rules of incoming files: what they match, how files are named, and which rules are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from webwx.errors import InvalidRequest
from webwx.gateway.accounts.account_events import AccountEvent
from webwx.gateway.incoming_files.rules import IncomingFileRule, IncomingFileRules, check_rule
from webwx.model.messages import ImageMessage, Message, TextMessage
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from pathlib import Path

FIELDS: dict[str, Any] = {
    "number": 7, "message_id": "55", "chat": "@a", "sender": "@a", "is_self": False, "time": 1_700_000_000,
    "content": "",
}  # fmt: skip
IMAGE = ImageMessage(**FIELDS)


def rule(**fields: Any) -> IncomingFileRule:
    given: dict[str, Any] = {"id": "r", "name": "n", "folder": "", "created_at": 0}
    return IncomingFileRule(**given | fields)


def account_event_of(event: Message, **names: Any) -> AccountEvent:
    return AccountEvent(account=1, event=event, **names)


@pytest.mark.parametrize(
    ("fields", "is_wanted"),
    [
        ({}, True),
        ({"kinds": ("file",)}, False),
        ({"chats": ("阿华",)}, True),
        ({"chats": ("@a",)}, True),
        ({"chats": ("filehelper",)}, False),
        ({"is_self": False}, True),
        ({"is_self": True}, False),
    ],
)
def test_a_rule_matches_by_kind_chat_and_author(fields: dict[str, Any], is_wanted: bool) -> None:
    assert rule(**fields).wants(account_event_of(IMAGE, chat_name="阿华")) is is_wanted


def test_a_message_without_a_file_matches_no_rule() -> None:
    assert not rule().wants(account_event_of(TextMessage(**FIELDS, text="t")))


def test_a_rule_serves_its_accounts_or_all() -> None:
    assert [rule(accounts=accounts).serves(2) for accounts in (None, (1,), (1, 2))] == [True, False, True]


@pytest.mark.parametrize(
    ("pattern", "received", "name"),
    [
        ("{name}", "report.pdf", "report.pdf"),
        ("{sender} {number}", "report.pdf", "李__雷 7.pdf"),
        ("{chat}-{kind}-{account}", "a.JPG", "etc_passwd-image-1.JPG"),
        ("{chat}", "x", "etc_passwd"),
        ("{name}", "CON.txt", "_CON.txt"),
    ],
)
def test_a_name_has_the_extension_and_no_folder(pattern: str, received: str, name: str) -> None:
    event = account_event_of(IMAGE, chat_name="/etc/passwd", sender_name="李/\\雷")
    made = rule(pattern=pattern).file_name(event, received)
    assert made.lstrip("_") == name.lstrip("_")
    assert "/" not in made
    assert "\\" not in made


def test_a_name_has_the_day_and_the_time_of_the_message() -> None:
    made = rule(pattern="{date} {time}").file_name(account_event_of(IMAGE), "a.png")
    assert made.startswith("2023-11-1")
    assert len(made) == len("2023-11-14 22-13-20.png")


def test_a_name_without_any_character_is_still_a_name() -> None:
    assert rule(pattern="{chat}").file_name(account_event_of(IMAGE), "a.png") == "file.png"


@pytest.mark.parametrize(
    "fields",
    [
        {"folder": "/etc"},
        {"folder": "a/../.."},
        {"folder": ".ssh"},
        {"folder": "a//b"},
        {"folder": "a\\b"},
        {"folder": "a\x00b"},
        {"folder": "/".join("abcdefghi")},
        {"pattern": "a/{name}"},
        {"pattern": "..\\{name}"},
        {"pattern": " "},
        {"pattern": "{uin}"},
        {"accounts": ()},
        {"kinds": ()},
        {"max_bytes": 0},
        {"max_bytes": 2**40},
    ],
)
def test_an_invalid_rule_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        check_rule(rule(**fields))


async def test_the_number_of_rules_is_limited(tmp_path: Path) -> None:
    records = open_records(tmp_path / "gateway.db")
    rules = IncomingFileRules(records, lambda: 0.0)
    for _ in range(50):
        await rules.create(rule())
    with pytest.raises(InvalidRequest, match="50 rules"):
        await rules.create(rule())
    await records.close()


def test_valid_folders_and_patterns_are_accepted() -> None:
    check_rule(rule(folder="手机/扫描 2026", pattern="{date} {name}"))
    check_rule(rule())
