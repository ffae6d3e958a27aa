"""
One web login of one account: its keys, its names for contacts, its uploads, its pending events.

A session outlives its end, so that a client that comes back learns why it ended.
"""

from __future__ import annotations

from base64 import b64encode
from collections import deque
from dataclasses import dataclass, field
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import quote

from webwx.protocol.codes import Ret
from webwx.protocol.messages import WireMessage
from webwx.sandbox.errors import Refused
from webwx.sandbox.people import BUILTIN, FILEHELPER
from webwx.sandbox.stream import ChangeStream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from webwx.protocol.hosts import Hosts
    from webwx.protocol.sync import SyncKey
    from webwx.sandbox.media import MediaFile
    from webwx.sandbox.people import WorldPerson

SESSION_COOKIE = 12 * 3600
"""Seconds that the cookies of a session last."""

REPEAT_WINDOW = 60
"""Seconds in which a wholly equal message can count as a repeat."""

RATE_WINDOW = 60
"""Seconds over which it is counted how much a session does."""


@dataclass(frozen=True, kw_only=True, repr=False)
class SessionKeys:
    """What a login hands out. Every one is a secret."""

    sid: str
    first_skey: str
    """From the ticket exchange; some clients never use another."""
    skey: str
    """From webwxinit; by default the same."""
    pass_ticket: str
    """Percent-encoded, as it stands in the XML."""
    data_ticket: str
    uvid: str
    auth_ticket: str

    @classmethod
    def roll(cls, rng: Random, issue: Callable[[str], str], *, is_renewed: bool = False) -> SessionKeys:
        """Make the keys of a new login, with another skey for webwxinit where it is renewed there."""
        crypt = f"@crypt_{rng.getrandbits(32):x}_"
        first, second = (crypt + rng.randbytes(16).hex() for _ in range(2))
        return cls(
            sid=issue(base64_text(rng, 12)),
            first_skey=issue(first),
            skey=issue(second) if is_renewed else first,
            pass_ticket=issue(quote(issue(base64_text(rng, 32)), safe="")),
            data_ticket=issue("gS" + base64_text(rng, 18)[:22]),
            # Reversed, so that the same seed never creates this secret equal to a name, which is not secret.
            uvid=issue(rng.randbytes(32)[::-1].hex()),
            auth_ticket=issue("CIsB" + base64_text(rng, 48)),
        )


def base64_text(rng: Random, size: int) -> str:
    """Make a random text with `+` and `/` in it, as the platform's keys have them."""
    return b64encode(rng.randbytes(size)).decode()


class SessionNames:
    """A session's `@…` names for all contacts; new in every login, stable within one."""

    def __init__(self, rng: Random, known: Mapping[str, str] = MappingProxyType({})) -> None:
        self._rng = rng
        self._names = {name: name for name in BUILTIN} | dict(known)
        self._ids = {name: world_id for world_id, name in self._names.items()}

    @property
    def known(self) -> dict[str, str]:
        """The names created so far, by world id."""
        return dict(self._names)

    def name(self, world_id: str, *, is_chatroom: bool = False) -> str:
        """Return the name of a contact, creating it on first use."""
        if world_id not in self._names:
            name = f"{'@@' if is_chatroom else '@'}{self._rng.randbytes(32).hex()}"
            self._names[world_id] = name
            self._ids[name] = world_id
        return self._names[world_id]

    def world_id(self, name: str) -> str | None:
        """Return the world id of a name; None if this login never had it."""
        return self._ids.get(name)


@dataclass(eq=False, kw_only=True, repr=False)
class WebSession:
    """One web login."""

    person: WorldPerson
    keys: SessionKeys
    names: SessionNames
    started: float
    stream: ChangeStream
    family: Hosts | None = None
    """The hosts it belongs to; None on one plain origin, which is every host."""
    is_helper: bool = False
    """A login of File Transfer Helper's page: one chat and no contacts."""
    uploads: dict[tuple[int, str], dict[int, bytes]] = field(default_factory=dict)
    """Chunks of incomplete files: by the client's media id and the fields that distinguish two files with one id."""
    parallel: dict[str, dict[int, bytes]] = field(default_factory=dict)
    """Chunks of parallel uploads that are not complete, by their `UploadID`."""
    announced: dict[str, str] = field(default_factory=dict)
    """Signatures of announced uploads, by the file's md5."""
    media: dict[str, MediaFile] = field(default_factory=dict)
    """Complete uploads and received files by `MediaId`."""
    accepted: dict[bytes, tuple[float, str]] = field(default_factory=dict)
    """Sends by their whole `Msg`, as JSON: when they came, and the id they got."""
    acts: deque[float] = field(default_factory=deque)
    """When it sent or changed something, within the last minute."""
    fetches: int = 0
    """How often it has synced."""
    fetched_from: SyncKey | None = None
    """The position it synced from last."""
    expires: float = inf
    """When it ends by itself."""
    ended: Ret | None = None
    """Why it is over; None while it lives."""
    silent_until: float = 0.0
    """Until then a held poll does not report the end: one client cancels its own logout when it does."""

    def owns(self, skey: str) -> bool:
        """Return whether this session ever had an skey."""
        return skey in {self.keys.skey, self.keys.first_skey}

    def hears(self, item: object) -> bool:
        """Return whether this login gets an event: all of them, or those of its one chat."""
        return not self.is_helper or (
            isinstance(item, WireMessage) and FILEHELPER in {item.from_user_name, item.to_user_name}
        )

    def known(self, name: str) -> str:
        """
        Return the world id of a name.

        Raises:
            Refused: This login never had the name, or can only write to its one chat.
        """
        world_id = self.names.world_id(name)
        if world_id is None or (self.is_helper and world_id != FILEHELPER):
            raise Refused(Ret.CHAT_GONE if name.startswith("@@") else Ret.TARGET_REFUSED)
        return world_id

    def act(self, now: float, most: int) -> None:
        """
        Count that it sends or changes something.

        Raises:
            Refused: It has done so too often within the last minute.
        """
        while self.acts and now - self.acts[0] >= RATE_WINDOW:
            self.acts.popleft()
        if len(self.acts) >= most:
            raise Refused(Ret.TOO_FREQUENT)
        self.acts.append(now)

    def fetch_from(self, key: SyncKey, replay_every: int) -> SyncKey:
        """Return the position where a sync starts: the requested one, or every n-th time the one before it."""
        before, self.fetched_from = self.fetched_from or key, key
        self.fetches += 1
        return before if replay_every and self.fetches % replay_every == 0 else key

    def earlier(self, message: bytes, now: float) -> str:
        """Return the id that an identical `Msg` got within the last minute, or an empty text."""
        when, message_id = self.accepted.get(message, (0.0, ""))
        return message_id if now - when <= REPEAT_WINDOW else ""
