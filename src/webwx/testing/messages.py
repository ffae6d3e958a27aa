"""Messages as a phone shows them: values that a test may keep and compare."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webwx.sandbox.people import MessageKind, WorldMessage, WorldPerson


@dataclass(frozen=True, kw_only=True)
class PhoneMessage:
    """A message on a phone, as it was when the test looked."""

    text: str
    """What was written; the phone shows a grey line in its place once it is taken back."""
    kind: MessageKind
    """`text`, `image`, `file` and so on; `system` for a grey line."""
    sender: str
    """Nickname of who sent it."""
    is_own: bool
    """It was sent by whose phone this is, from the phone or from a web login."""
    is_recalled: bool
    """It was taken back since."""
    content: bytes = field(default=b"", repr=False)
    """The bytes of a picture, file, voice, video or sticker."""
    name: str = ""
    """A file's name."""
    time: float
    """When it was sent: seconds since 1970, by the world's clock."""
    id: str
    """Message id, equal on every phone."""

    @classmethod
    def of(cls, message: WorldMessage, viewer: WorldPerson) -> PhoneMessage:
        """Return a message of the world as one person sees it."""
        medium = message.medium
        return cls(
            text=message.text, kind=message.kind, sender=message.sender.nickname, is_own=message.sender is viewer,
            is_recalled=message.is_recalled, content=medium.content if medium else b"",
            name=medium.name if medium else "", time=message.time, id=message.id,
        )  # fmt: skip

    def __str__(self) -> str:
        who = "me" if self.is_own else self.sender
        what = self.text if self.kind in {"text", "system"} else f"[{self.kind}] {self.name or self.text}".rstrip()
        return f"{who}: {what}{' (taken back)' if self.is_recalled else ''}"
