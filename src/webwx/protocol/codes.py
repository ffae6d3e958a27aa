"""The platform's numbers. Five number spaces that never mix: see the class of each."""

from __future__ import annotations

import enum


class Ret(enum.IntEnum):
    """`BaseResponse.Ret` of JSON calls, `<error><ret>` of the ticket exchange, `retcode` of synccheck."""

    OK = 0
    SYSTEM_ERROR = -1
    """The generic refusal: a recall too late, a dead MediaId, a forward whose picture is gone."""
    LOGIC_ERROR = -2
    TICKET_ERROR = -14
    PARAMETER_ERROR = 1
    PHONE_OFFLINE = 3
    SESSION_NOT_FOUND = 1100
    """Logged out on the phone, or expired."""
    SESSION_INVALID = 1101
    """Replaced by another login, or never there."""
    COOKIE_INVALID = 1102
    SESSION_EXPIRED = 1103
    UNREADABLE_REQUEST = 1200
    CHAT_GONE = 1201
    LOGIN_REFUSED = 1203
    TARGET_REFUSED = 1204
    TOO_FREQUENT = 1205


LOGGED_OUT_REASONS = {
    Ret.TICKET_ERROR: "ticket",
    Ret.SESSION_NOT_FOUND: "phone",
    Ret.SESSION_INVALID: "evicted",
    Ret.COOKIE_INVALID: "cookie",
    Ret.SESSION_EXPIRED: "evicted",
}
"""The only codes that end a login, with the reason `LoggedOut` gives."""


class PollCode(enum.IntEnum):
    """`window.code` of the login poll."""

    CONFIRMED = 200
    SCANNED = 201
    CANCELLED = 202
    EXPIRED = 400
    WAITING = 408
    SERVER_ERROR = 500
    BROKEN = 0
    """No number in the answer."""


class Selector(enum.IntEnum):
    """`selector` of synccheck. A client never branches on it: anything but 0 means `webwxsync`."""

    NOTHING = 0
    MESSAGES = 2
    CONTACT_CHANGED = 4
    CONTACT_ADDED = 6
    PHONE_ACTIVITY = 7


class StatusNotify(enum.IntEnum):
    """`Code` of webwxstatusnotify and `StatusNotifyCode` of a message of type 51."""

    NONE = 0
    READ = 1
    ENTER_CHAT = 2
    INITED = 3
    RECENT_CHATS = 4
    QUIT_CHAT = 5


class MessageType(enum.IntEnum):
    """`MsgType`. Others exist and more will: unknown ones are kept, never refused."""

    TEXT = 1
    IMAGE = 3
    STATUS_NOTIFY = 51
    SYSTEM = 10000
    RECALL = 10002


class MessageStatus(enum.IntEnum):
    """`Status` of a message."""

    NORMAL = 3
    SYSTEM = 4


class SyncKeyKind(enum.IntEnum):
    """`Key` in a SyncKey list. Opaque for a client; these are the ones our server counts with."""

    CONTACTS = 1
    MESSAGES = 2
    PROFILE = 3
    TIME = 1000


MAX_TEXT = 16_000
"""Characters in one text. The page has no limit; beyond this, failures are reported (protocol notes, send, 3.1)."""

RECALL_WINDOW = 120
"""Seconds in which a message can be recalled."""

MAX_IMAGE = 20 * 1024 * 1024
"""Bytes of one picture."""

CHUNK_SIZE = 524_288
"""Bytes of one upload chunk."""

BATCH_LIMIT = 50
"""Contacts asked for in one `webwxbatchgetcontact`; beyond it, some have been reported missing."""

POLL_HOLD = 25
"""Seconds a long poll is held."""
