"""The platform's numbers, in five number spaces that never mix. Sources and doubts: docs/protocol/codes.md."""

from __future__ import annotations

import enum


class Ret(enum.IntEnum):
    """`BaseResponse.Ret` of JSON calls, `<error><ret>` of the ticket exchange, `retcode` of synccheck."""

    OK = 0
    SYSTEM_ERROR = -1
    """The generic refusal: a recall that is too late, an expired MediaId, a forward with expired keys."""
    LOGIC_ERROR = -2
    PARTLY_DONE = -2013
    """Some members could not be added to a chatroom."""
    TICKET_ERROR = -14
    PARAMETER_ERROR = 1
    PHONE_OFFLINE = 3
    SESSION_NOT_FOUND = 1100
    """Logged out on the phone, or expired."""
    SESSION_INVALID = 1101
    """Replaced by another login, or unknown to the server."""
    COOKIE_INVALID = 1102
    SESSION_EXPIRED = 1103
    UNREADABLE_REQUEST = 1200
    CHAT_GONE = 1201
    LOGIN_REFUSED = 1203
    TARGET_REFUSED = 1204
    TOO_FREQUENT = 1205


KNOWN_RETS: frozenset[int] = frozenset(Ret)
"""Return codes with a known meaning; others occur."""

LOGGED_OUT_REASONS: dict[int, str] = {
    Ret.TICKET_ERROR: "ticket",
    Ret.SESSION_NOT_FOUND: "phone",
    Ret.SESSION_INVALID: "evicted",
    Ret.COOKIE_INVALID: "cookie",
    Ret.SESSION_EXPIRED: "evicted",
}
"""Codes that end a login in any call, with the `reason` of `LoggedOut`."""


class PollCode(enum.IntEnum):
    """`window.code` of the login poll."""

    CONFIRMED = 200
    SCANNED = 201
    CANCELLED = 202
    EXPIRED = 400
    WAITING = 408
    SERVER_ERROR = 500
    BROKEN = 0
    """The answer has no number."""


class Selector(enum.IntEnum):
    """`selector` of synccheck. A client never branches on it: any value but 0 means `webwxsync`."""

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
    """`MsgType`. Others exist: unknown ones are stored, never refused."""

    TEXT = 1
    IMAGE = 3
    VOICE = 34
    FRIEND_REQUEST = 37
    POSSIBLE_FRIEND = 40
    CARD = 42
    VIDEO = 43
    STICKER = 47
    LOCATION = 48
    """Only in a forward; a received location is a text with `SubMsgType` 48."""
    APP = 49
    CALL = 50
    STATUS_NOTIFY = 51
    CALL_ENDED = 52
    CALL_INVITE = 53
    SHORT_VIDEO = 62
    COMPANY_CARD = 66
    """Card of a user of 企业微信 (WeCom)."""
    SERVICE_CARD = 67
    """Card of a customer service of 企业微信 (WeCom)."""
    SYSTEM_NOTICE = 9999
    SYSTEM = 10000
    RECALL = 10002
    """Recalls and other `sysmsg` XML."""


class AppMessageType(enum.IntEnum):
    """`AppMsgType` of a message of type 49."""

    HISTORY_WEB = 0
    """Merged history, and other kinds that the web cannot show."""
    TEXT = 1
    IMAGE = 2
    MUSIC = 3
    VIDEO = 4
    LINK = 5
    FILE = 6
    OPEN = 7
    EMOJI = 8
    VOICE_REMIND = 9
    SCANNED_PRODUCT = 10
    PRODUCT = 13
    STICKER_SET = 15
    COUPON = 16
    LIVE_LOCATION = 17
    HISTORY = 19
    MINI_PROGRAM = 33
    MINI_PROGRAM_PAGE = 36
    CHANNEL_CARD = 50
    CHANNEL_VIDEO = 51
    GROUP_NOTE = 53
    """接龙: a list to which each member of a chatroom adds an entry."""
    QUOTE = 57
    PAT = 62
    CHANNEL_LIVE = 63
    UPLOADING = 74
    SONG = 76
    """Music, as newer phones send it."""
    ANNOUNCEMENT = 87
    CHANNEL_LIVE_REPLAY = 88
    SONG_CARD = 92
    """Music, as the platform's own player sends it."""
    TRANSFER = 2000
    RED_PACKET = 2001


class MessageStatus(enum.IntEnum):
    """`Status` of a message."""

    NORMAL = 3
    SYSTEM = 4


class SyncKeyKind(enum.IntEnum):
    """`Key` in a SyncKey list. Opaque for a client; the sandbox uses these."""

    CONTACTS = 1
    MESSAGES = 2
    PROFILE = 3
    TIME = 1000


MAX_TEXT = 16_000
"""Maximum length of a text in characters. The platform's page has no limit; longer texts are reported to fail."""

RECALL_WINDOW = 120
"""Seconds after a send in which it can be recalled."""

MAX_IMAGE = 20 * 1024 * 1024
"""Maximum size of a picture in bytes."""

MAX_VIDEO = 20 * 1024 * 1024
"""Maximum size of a video in bytes, as checked by the page."""

MAX_FILE = 1024 * 1024 * 1024
"""Maximum size of a file in bytes; the server may refuse smaller ones."""

CHECK_ABOVE = 25 * 1024 * 1024
"""Size in bytes above which a file must be announced by `webwxcheckupload`, and is not served to web clients."""

CHUNK_SIZE = 524_288
"""Bytes of one upload chunk."""

BATCH_LIMIT = 50
"""Maximum number of contacts in one `webwxbatchgetcontact`; above it, some were reported missing."""

POLL_HOLD = 25
"""Seconds that a long poll is held."""
