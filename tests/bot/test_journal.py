"""Use of the journal by a bot: a failing disk delays it, and is reported once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tests.client.virtual_loop import run_with_virtual_clock

from webwx.bot.journal import use_journal
from webwx.errors import StorageError

if TYPE_CHECKING:
    import pytest


def test_a_use_that_fails_is_repeated_and_only_its_first_failure_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    attempts: list[int] = []

    async def fail_twice() -> str:
        attempts.append(1)
        if len(attempts) < 3:
            raise StorageError("The disk is full.")
        return "stored"

    async def work() -> None:
        assert await use_journal("echo", fail_twice) == "stored"

    with caplog.at_level(logging.ERROR, "webwx.bot"):
        run_with_virtual_clock(work)

    assert len(attempts) == 3
    assert caplog.messages == ["echo: the journal fails and is retried until it succeeds: The disk is full."]
