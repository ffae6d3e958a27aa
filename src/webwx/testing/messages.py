"""Messages as a phone shows them, as values that a test can store and compare."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from webwx.sandbox.people import MessageKind, WorldMessage, WorldPerson


@dataclass(frozen=True, kw_only=True)
class PhoneMessage:
    """A message on a phone, as it was when the test read it."""

    text: str
    """Text of the message; after a recall, the phone shows a notice instead."""
    kind: MessageKind
    """`text`, `image`, `file` and so on; `system` for a notice of the platform."""
    sender: str
    """Nickname of the sender."""
    is_own: bool
    """Whether the owner of the phone sent it, from the phone or from a web login."""
    is_recalled: bool
    """Whether it was recalled."""
    content: bytes = field(default=b"", repr=False)
    """The bytes of a picture, file, voice, video or sticker."""
    name: str = ""
    """Name of a file."""
    time: float
    """Time of the message: seconds since 1970, by the world's clock."""
    id: str
    """Id of the message, the same on every phone."""

    @classmethod
    def of(cls, message: WorldMessage, viewer: WorldPerson) -> PhoneMessage:
        """Return a message of the world as one person sees it."""
        media_file = message.media_file
        return cls(
            text=message.text, kind=message.kind, sender=message.sender.nickname, is_own=message.sender is viewer,
            is_recalled=message.is_recalled, content=media_file.content if media_file else b"",
            name=media_file.name if media_file else "", time=message.time, id=message.id,
        )  # fmt: skip

    def __str__(self) -> str:
        who = "me" if self.is_own else self.sender
        what = self.text if self.kind in {"text", "system"} else f"[{self.kind}] {self.name or self.text}".rstrip()
        return f"{who}: {what}{' (recalled)' if self.is_recalled else ''}"


def transcript_of(messages: Iterable[PhoneMessage]) -> str:
    """Return messages as text: each on a line behind its sender's nickname, further lines of a text indented."""
    return "".join(f"{_line(each)}\n" for each in messages)


def _line(message: PhoneMessage) -> str:
    if message.kind == "system":
        return f"-- {message.text}"
    text = message.text if message.kind == "text" else f"[{message.kind}] {message.name or message.text}".rstrip()
    body = "\n  ".join(text.splitlines()) + (" (recalled)" if message.is_recalled else "")
    return f"{message.sender}: {body}"
