"""The scheduler sends each reminder once unless it was deleted, and a report on weekdays."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tests.examples.conftest import load

if TYPE_CHECKING:
    import pytest

    from webwx.testing import Clock, PhoneUser, Sandbox


def test_a_reminder_is_sent_once_after_its_minutes(sandbox: Sandbox, friend: PhoneUser, clock: Clock) -> None:
    with sandbox.running(load("scheduled").bot):
        friend.say("/remind 10 tea")
        assert friend.hears("In 10 minutes: tea")
        clock.wind(minutes=9)
        assert friend.hears_nothing()
        clock.wind(minutes=2)
        assert friend.hears("Reminder: tea")
        clock.wind(hours=1)
        assert friend.hears_nothing()


def test_a_reminder_survives_a_restart(sandbox: Sandbox, friend: PhoneUser, clock: Clock) -> None:
    with sandbox.running(load("scheduled").bot):
        friend.say("/remind 10 tea")
        assert friend.hears("In 10 minutes: tea")
    clock.wind(hours=1)
    with sandbox.running(load("scheduled").bot):
        assert friend.hears("Reminder: tea")


def test_reminders_of_a_chat_are_listed_and_deleted(
    sandbox: Sandbox, account: PhoneUser, friend: PhoneUser, clock: Clock
) -> None:
    with sandbox.running(load("scheduled").bot):
        for text in ("/remind 20 milk", "/remind 10 tea"):
            friend.say(text)
        account.say("/remind 10 work")
        friend.say("/reminders")
        assert friend.hears("tea\nmilk")
        friend.say("/forget")
        assert friend.hears("forgotten")
        clock.wind(minutes=30)
        assert account.hears("Reminder: work")
        friend.say("/reminders")
        assert friend.hears("nothing to come")


def test_the_report_is_sent_at_six_on_weekdays(
    sandbox: Sandbox, account: PhoneUser, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCHEDULED_ZONE", "Asia/Shanghai")
    with sandbox.running(load("scheduled").bot):
        account.say("/remind 600000 tea")
        assert account.hears("In 600000 minutes: tea")
        clock.wind_to("18:00", timezone="Asia/Shanghai")
        if clock.now.weekday() >= 5:
            clock.wind_to(clock.now + timedelta(days=7 - clock.now.weekday()))
        assert account.hears("1 reminders to come")
