"""The platform's codes, and those that end a login."""

from __future__ import annotations

import enum

import pytest

from webwx.protocol.codes import (
    BATCH_LIMIT,
    CHECK_ABOVE,
    CHUNK_SIZE,
    LOGGED_OUT_REASONS,
    MAX_FILE,
    MAX_IMAGE,
    MAX_TEXT,
    MAX_VIDEO,
    POLL_HOLD,
    RECALL_WINDOW,
    AppMessageType,
    MessageStatus,
    MessageType,
    PollCode,
    Ret,
    Selector,
    StatusNotify,
    SyncKeyKind,
)

NUMBERS: dict[type[enum.IntEnum], dict[str, int]] = {
    Ret: {
        "OK": 0, "SYSTEM_ERROR": -1, "LOGIC_ERROR": -2, "PARTLY_DONE": -2013, "TICKET_ERROR": -14,
        "PARAMETER_ERROR": 1, "PHONE_OFFLINE": 3, "SESSION_NOT_FOUND": 1100, "SESSION_INVALID": 1101,
        "COOKIE_INVALID": 1102, "SESSION_EXPIRED": 1103, "UNREADABLE_REQUEST": 1200, "CHAT_GONE": 1201,
        "LOGIN_REFUSED": 1203, "TARGET_REFUSED": 1204, "TOO_FREQUENT": 1205,
    },
    PollCode: {
        "CONFIRMED": 200, "SCANNED": 201, "CANCELLED": 202, "EXPIRED": 400, "WAITING": 408, "SERVER_ERROR": 500,
        "BROKEN": 0,
    },
    Selector: {"NOTHING": 0, "MESSAGES": 2, "CONTACT_CHANGED": 4, "CONTACT_ADDED": 6, "PHONE_ACTIVITY": 7},
    StatusNotify: {"NONE": 0, "READ": 1, "ENTER_CHAT": 2, "INITED": 3, "RECENT_CHATS": 4, "QUIT_CHAT": 5},
    MessageType: {
        "TEXT": 1, "IMAGE": 3, "VOICE": 34, "FRIEND_REQUEST": 37, "POSSIBLE_FRIEND": 40, "CARD": 42, "VIDEO": 43,
        "STICKER": 47, "LOCATION": 48, "APP": 49, "CALL": 50, "STATUS_NOTIFY": 51, "CALL_ENDED": 52,
        "CALL_INVITE": 53, "SHORT_VIDEO": 62, "COMPANY_CARD": 66, "SERVICE_CARD": 67, "SYSTEM_NOTICE": 9999,
        "SYSTEM": 10000, "RECALL": 10002,
    },
    AppMessageType: {
        "HISTORY_WEB": 0, "TEXT": 1, "IMAGE": 2, "MUSIC": 3, "VIDEO": 4, "LINK": 5, "FILE": 6, "OPEN": 7,
        "EMOJI": 8, "VOICE_REMIND": 9, "SCANNED_PRODUCT": 10, "PRODUCT": 13, "STICKER_SET": 15, "COUPON": 16,
        "LIVE_LOCATION": 17, "HISTORY": 19, "MINI_PROGRAM": 33, "MINI_PROGRAM_PAGE": 36, "CHANNEL_CARD": 50,
        "CHANNEL_VIDEO": 51, "GROUP_NOTE": 53, "QUOTE": 57, "PAT": 62, "CHANNEL_LIVE": 63, "UPLOADING": 74,
        "SONG": 76, "ANNOUNCEMENT": 87, "CHANNEL_LIVE_REPLAY": 88, "SONG_CARD": 92, "TRANSFER": 2000,
        "RED_PACKET": 2001,
    },
    MessageStatus: {"NORMAL": 3, "SYSTEM": 4},
    SyncKeyKind: {"CONTACTS": 1, "MESSAGES": 2, "PROFILE": 3, "TIME": 1000},
}  # fmt: skip
"""The platform's numbers, as its page and samples of its answers have them."""


@pytest.mark.parametrize(
    ("ret", "reason"), [(-14, "ticket"), (1100, "phone"), (1101, "evicted"), (1102, "cookie"), (1103, "evicted")]
)
def test_a_code_that_ends_a_login_has_a_reason(ret: int, reason: str) -> None:
    assert LOGGED_OUT_REASONS[Ret(ret)] == reason


def test_no_other_code_ends_a_login() -> None:
    assert {-14, 1100, 1101, 1102, 1103} == set(LOGGED_OUT_REASONS)


@pytest.mark.parametrize("codes", NUMBERS, ids=lambda codes: codes.__name__)
def test_codes_have_the_numbers_of_the_platform(codes: type[enum.IntEnum]) -> None:
    assert {each.name: each.value for each in codes} == NUMBERS[codes]


def test_limits_are_those_of_the_platform() -> None:
    assert (MAX_TEXT, RECALL_WINDOW, BATCH_LIMIT, POLL_HOLD) == (16_000, 120, 50, 25)
    assert (CHUNK_SIZE, CHECK_ABOVE) == (512 * 1024, 25 * 1024 * 1024)
    assert (MAX_IMAGE, MAX_VIDEO, MAX_FILE) == (20 * 1024 * 1024, 20 * 1024 * 1024, 1024 * 1024 * 1024)
