"""The message of a notification: its text, its length, its files and its age."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from webwx.gateway.notify.message import OutgoingMessage, compose, duration, with_age
from webwx.gateway.notify.notification import AttachedFile, Notification, Severity


@pytest.mark.parametrize(
    ("notification", "text"),
    [
        (Notification(title="T", text="b"), "T\n\nb"),
        (Notification(title="T"), "T"),
        (Notification(text="b\r\nc  \n\n\n\n\nd"), "b\nc\n\n\nd"),
        (Notification(title="a\nb", text="c"), "a b\n\nc"),
        (Notification(title="T", link="https://x.example"), "T\n\nhttps://x.example"),
        (Notification(text="see https://x.example", link="https://x.example"), "see https://x.example"),
        (Notification(text="b", severity=Severity.CRITICAL), "🔴 b"),
        (Notification(text="🔴 b", severity=Severity.CRITICAL), "🔴 b"),
        (Notification(text="b", file_urls=("https://x.example/a",)), "b\nhttps://x.example/a"),
        (Notification(severity=Severity.GOOD), ""),
    ],
)
def test_a_notification_is_composed(notification: Notification, text: str) -> None:
    assert text == compose(notification).text


def test_a_text_of_16000_characters_is_not_shortened() -> None:
    assert compose(Notification(text="字" * 16_000)) == OutgoingMessage("字" * 16_000)


def test_a_longer_text_is_cut_and_added_as_a_file() -> None:
    file = AttachedFile(name="a.txt", content=b"a")
    message = compose(Notification(text="字" * 16_001, files=(file,)))
    assert message.text == "字" * 15_800 + "…"
    assert [each.name for each in message.files] == ["message.txt", "a.txt"]
    assert message.files[0].content.decode() == "字" * 16_001


def test_a_late_message_shows_its_age() -> None:
    zone = timezone(timedelta(hours=8))
    late = with_age(OutgoingMessage("Disk full"), 0.0, 3 * 3600 + 300.0, zone)
    assert late.text == "⏳ 01-01 08:00, 3 h 5 min late\nDisk full"


def test_a_message_is_late_after_two_minutes() -> None:
    assert with_age(OutgoingMessage("a"), 0.0, 120.0).text == "⏳ 01-01 00:00, 2 min late\na"


def test_a_message_in_time_shows_no_age() -> None:
    assert with_age(OutgoingMessage("a"), 0.0, 119.0).text == "a"
    assert with_age(OutgoingMessage(""), 0.0, 9999.0).text == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1 min"), (150, "2 min"), (3600, "1 h"), (3660, "1 h 1 min"), (86_400, "1 d"), (97_200, "1 d 3 h")],
)
def test_a_duration_has_two_units(seconds: float, text: str) -> None:
    assert text == duration(seconds)
