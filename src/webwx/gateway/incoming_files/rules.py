"""
Rules that save incoming files. A rule selects files by chat and kind, and sets their folder and names.

The configuration file names the root of all folders. Without a root no rule can be made, so a key alone never allows a
caller to write to the disk.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from webwx.client.sending.files import safe_name
from webwx.errors import InvalidRequest
from webwx.gateway.stored_values import StoredValues, random_text
from webwx.model.archive import MediaKind
from webwx.model.messages import FileMessage, ImageMessage, StickerMessage, VideoMessage, VoiceMessage
from webwx.protocol.codes import MAX_FILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.gateway.accounts.account_events import AccountEvent
    from webwx.model.messages import Event
    from webwx.storage.tables.records import RecordStore

CONSUMER_PREFIX = "incoming-files-"
"""What the names of the consumers of all rules begin with."""

RULE_KIND = "incoming-file-rule"
"""Kind of the records."""

MOST_RULES = 50
"""Maximum number of rules; each rule reads every event of its accounts."""

_MEDIA: dict[type[Event], MediaKind] = {
    FileMessage: "file",
    ImageMessage: "image",
    StickerMessage: "sticker",
    VideoMessage: "video",
    VoiceMessage: "voice",
}

PLACEHOLDERS = ("name", "date", "time", "chat", "sender", "account", "kind", "number")
"""Placeholders of a name pattern, which has them in braces."""

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_DEEPEST = 8
"""Maximum depth of a folder below the root."""


class IncomingFileRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that saves incoming files."""

    id: str
    name: str
    """Name for people, such as `scans`."""
    folder: str
    """Path below the root, such as `phone/scans`; empty: the root itself."""
    pattern: str = "{name}"
    """Pattern of the names of files; each file keeps its extension. See `PLACEHOLDERS`."""
    accounts: tuple[int, ...] | None = None
    """Numbers of the accounts whose files are saved; None: all, later ones included."""
    chats: tuple[str, ...] = ()
    """Names or ids of the chats whose files are saved; empty: all."""
    kinds: tuple[MediaKind, ...] = ("file", "image", "video")
    is_self: bool | None = None
    """True: only files that the account has sent from another device. False: only those of others. None: both."""
    max_bytes: int = 100 * 1024 * 1024
    """Maximum size of a file in bytes; a larger file is not saved."""
    enabled: bool = True
    created_at: float
    """Seconds since 1970."""

    def __repr__(self) -> str:
        return f"IncomingFileRule({self.id})"

    @property
    def consumer(self) -> str:
        """Name of its consumer in each account's journal, which stores its position."""
        return f"{CONSUMER_PREFIX}{self.id}"

    def serves(self, account: int) -> bool:
        """Return whether files of an account are saved."""
        return self.accounts is None or account in self.accounts

    def wants(self, account_event: AccountEvent) -> bool:
        """Return whether the file of an event of one of its accounts is saved."""
        event = account_event.event
        if media_kind_of(event) not in self.kinds:
            return False
        if self.chats and getattr(event, "chat", None) not in self.chats and account_event.chat_name not in self.chats:
            return False
        return self.is_self is None or bool(getattr(event, "is_self", False)) == self.is_self

    def file_name(self, account_event: AccountEvent, received: str) -> str:
        """
        Return the name for the file of an event, with the extension of the received name.

        No part of it is a folder: separators in names of people become `_`.
        """
        path = Path(received)
        written = datetime.fromtimestamp(getattr(account_event.event, "time", 0), UTC).astimezone()
        values = {
            "name": path.stem, "date": f"{written:%Y-%m-%d}", "time": f"{written:%H-%M-%S}",
            "chat": account_event.chat_name, "sender": account_event.sender_name,
            "account": str(account_event.account), "kind": media_kind_of(account_event.event) or "",
            "number": str(account_event.event.number),
        }  # fmt: skip
        filled = _PLACEHOLDER.sub(lambda match: re.sub(r"[/\\]", "_", values[match[1]]), self.pattern)
        return safe_name(f"{filled.strip() or 'file'}{path.suffix}")


class IncomingFileRules(StoredValues[IncomingFileRule]):
    """
    The rules, stored as records.

    Args:
        records: The records.
        clock: Returns seconds since 1970.
    """

    def __init__(self, records: RecordStore, clock: Callable[[], float]) -> None:
        super().__init__(records, clock, RULE_KIND, IncomingFileRule, check_rule)

    async def create(self, rule: IncomingFileRule) -> IncomingFileRule:
        """
        Store a rule, and return it with its id.

        Args:
            rule: The rule; its id and time are replaced.

        Raises:
            InvalidRequest: A field is invalid, or there are too many rules.
        """
        if len(await self.find()) >= MOST_RULES:
            raise InvalidRequest(f"There are {MOST_RULES} rules already; delete one first.")
        made = msgspec.structs.replace(rule, id=random_text(8), created_at=self._clock())
        await self.add(made)
        return made


def check_rule(rule: IncomingFileRule) -> None:
    """
    Check the fields of a rule.

    Raises:
        InvalidRequest: One of them is invalid.
    """
    parts = rule.folder.split("/") if rule.folder else []
    if len(parts) > _DEEPEST or any(safe_name(part) != part for part in parts):
        raise InvalidRequest(
            "'folder' is a path below the root, such as 'phone/scans', without '..' and hidden names.", field="folder"
        )
    if not rule.pattern.strip() or "/" in rule.pattern or "\\" in rule.pattern:
        raise InvalidRequest(
            "'pattern' is the name of a file, such as '{date} {name}', without folders.", field="pattern"
        )
    for placeholder in _PLACEHOLDER.findall(rule.pattern):
        if placeholder not in PLACEHOLDERS:
            known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
            raise InvalidRequest(
                f"There is no placeholder {{{placeholder}}}; a pattern may have {known}.", field="pattern"
            )
    if rule.accounts == ():
        raise InvalidRequest("'accounts' is an empty list; name an account, or leave it out for all.", field="accounts")
    if not rule.kinds:
        raise InvalidRequest("'kinds' is an empty list; name at least one kind.", field="kinds")
    if not 1 <= rule.max_bytes <= MAX_FILE:
        raise InvalidRequest(f"'max_bytes' is a number from 1 to {MAX_FILE}.", field="max_bytes")


def media_kind_of(event: Event) -> MediaKind | None:
    """Return the kind of an event's media; None for an event without a file."""
    return _MEDIA.get(type(event))
