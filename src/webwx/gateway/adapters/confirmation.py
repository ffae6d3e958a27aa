"""A send of a program that waits for the consent of the owner."""

from __future__ import annotations

import hashlib
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from webwx.gateway.problems import ReadFailure, read_failure
from webwx.representations.programs import ConfirmationState
from webwx.representations.sends import MediaKind

LIFE = 600.0
"""Seconds that the owner has to answer, from the question on, by the clock of the platform."""

GRACE = 60.0
"""Seconds after which a send has expired here, beyond `LIFE`: an answer in time may arrive late."""

CODE_DIGITS = 4
"""Number of digits of a code of the gateway."""

LONG_CODE_DIGITS = 6
"""
Number of digits of a code of a program that runs by itself: it does not know the codes of a gateway that uses the same
WeChat account, so its own ones are longer.
"""

CONFIRMATION_KEYS = "confirmation-"
"""Begin of the keys of what the gateway itself writes to the owner: questions, and replies to answers."""

ContentKind: TypeAlias = Literal["text", "forward"] | MediaKind


class SendToConfirm(NamedTuple):
    """A send as the program wants it."""

    key: str
    """Its key in the outbox, which no other program has."""
    to: str | int
    """The recipient, as the client takes it."""
    name: str
    """Name of the recipient."""
    is_group: bool
    kind: ContentKind
    text: str
    """The text, the caption of a file, or what a forwarded message says."""
    content: bytes = b""
    """Content of a file."""
    file: str = ""
    """Name of a file."""
    event: int = 0
    """Number of a forwarded event."""
    user: int = 0
    """The user whose person or chatroom the recipient is, as `user_of` returns it."""

    def __repr__(self) -> str:
        return f"SendToConfirm({self.kind})"

    @property
    def digest(self) -> str:
        """Digest of the recipient and the content."""
        content = hashlib.sha256(self.content).hexdigest()
        parts = [self.to, self.kind, self.text, self.file, content, self.event, self.user]
        return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


class Confirmation(msgspec.Struct, frozen=True, kw_only=True):
    """
    The question whether a send may be made, and its answer.

    preparing -> waiting -> accepted -> made
                         |          `-> failed
                         |-> refused
                         `-> expired
    """

    id: str
    """Digest of the key of the send: one key has one question."""
    program: str
    """Id of the program."""
    account: int
    """Number of the account."""
    code: str
    """What the owner writes; no other question of the account has it."""
    key: str
    """Key of the send in the outbox."""
    to: str | int
    name: str
    is_group: bool
    kind: ContentKind
    digest: str
    """Digest of the recipient and the content."""
    text: str
    """As in `SendToConfirm`; empty once the question is answered and the send is made."""
    file: str = ""
    size: int = 0
    """Bytes of the file."""
    event: int = 0
    user: int = 0
    """As in `SendToConfirm`."""
    created_at: float
    """Seconds since 1970, by the clock of this machine."""
    asked_at: float = 0.0
    """Time of the question by the clock of the platform; 0: it is not asked yet."""
    state: ConfirmationState = "preparing"
    decided_by: str = ""
    """Id of the message with the owner's answer, `console`, `terminal` or `client`."""
    error: str = ""
    """Code of the error because of which the send was not made; an earlier version has stored the name of its class."""

    def __repr__(self) -> str:
        return f"Confirmation({self.state})"

    @property
    def is_open(self) -> bool:
        """Whether the send may still be made."""
        return self.state in {"preparing", "waiting", "accepted"}

    @property
    def failure(self) -> ReadFailure:
        """Why the send was not made; with empty texts if it has not failed."""
        return read_failure(self.error) if self.error else ReadFailure("", "")

    @property
    def expires_at(self) -> float:
        """Time until which the owner can answer, by the clock of the platform."""
        return self.asked_at + LIFE

    def is_late(self, now: float) -> bool:
        """Return whether no answer counts any more, by the clock of this machine."""
        return self.state in {"preparing", "waiting"} and now > self.created_at + LIFE + GRACE

    def in_time(self, written_at: float) -> bool:
        """Return whether an answer was written in time, by the clock of the platform, which has whole seconds."""
        return self.asked_at - 1 <= written_at <= self.expires_at


def id_of(key: str) -> str:
    """Return the id of the confirmation of a send."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]
