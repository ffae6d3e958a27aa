"""The platform's codes, and those that end a login."""

from __future__ import annotations

import pytest

from webwx.protocol.codes import (
    BATCH_LIMIT,
    CHUNK_SIZE,
    LOGGED_OUT_REASONS,
    MAX_IMAGE,
    MAX_TEXT,
    POLL_HOLD,
    RECALL_WINDOW,
    MessageType,
    PollCode,
    Ret,
    StatusNotify,
)


@pytest.mark.parametrize(
    ("ret", "reason"), [(-14, "ticket"), (1100, "phone"), (1101, "evicted"), (1102, "cookie"), (1103, "evicted")]
)
def test_a_code_that_ends_a_login_has_a_reason(ret: int, reason: str) -> None:
    assert LOGGED_OUT_REASONS[Ret(ret)] == reason


def test_no_other_code_ends_a_login() -> None:
    assert {-14, 1100, 1101, 1102, 1103} == set(LOGGED_OUT_REASONS)


def test_numbers_of_the_reference_requests() -> None:
    assert (MessageType.TEXT, MessageType.IMAGE, MessageType.RECALL) == (1, 3, 10002)
    assert (StatusNotify.READ, StatusNotify.INITED) == (1, 3)


def test_numbers_of_the_login_poll() -> None:
    assert [PollCode(code).name for code in (200, 201, 400, 408)] == ["CONFIRMED", "SCANNED", "EXPIRED", "WAITING"]


def test_limits_are_those_of_the_platform() -> None:
    assert (MAX_TEXT, RECALL_WINDOW, BATCH_LIMIT, POLL_HOLD) == (16_000, 120, 50, 25)
    assert (CHUNK_SIZE, MAX_IMAGE) == (512 * 1024, 20 * 1024 * 1024)
