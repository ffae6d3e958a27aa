"""
One web login of one account: its keys, its names for contacts, its uploads, its pending events.

An ended session is kept, so that a client that comes back learns why it ended.
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
"""Seconds until the cookies of a session expire."""

REPEAT_WINDOW = 60
"""Seconds in which an equal message counts as a repetition."""

RATE_WINDOW = 60
"""Seconds over which the sends and changes of a session are counted."""


@dataclass(frozen=True, kw_only=True, repr=False)
class SessionKeys:
    """Keys of a login; all of them are secret."""

    sid: str
    first_skey: str
    """Skey from the ticket exchange; some clients never use another."""
    skey: str
    """Skey from webwxinit; by default the same."""
    pass_ticket: str
    """Percent-encoded, as in the XML."""
    data_ticket: str
    uvid: str
    auth_ticket: str

    @classmethod
    def generate(cls, rng: Random, issue: Callable[[str], str], *, is_renewed: bool = False) -> SessionKeys:
        """Generate the keys of a new login, with another skey for webwxinit if that option is set."""
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
    """Generate a text with `+` and `/` in it, as in the platform's keys."""
    return b64encode(rng.randbytes(size)).decode()


class SessionNames:
    """A session's `@…` names of all contacts; new in every login, and constant within one."""

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
    """Hosts of its family; None on one plain origin, which serves all hosts."""
    is_helper: bool = False
    """Whether it is a login of File Transfer Helper, with one chat and no contacts."""
    uploads: dict[tuple[int, str], dict[int, bytes]] = field(default_factory=dict)
    """Chunks of incomplete uploads, by the client's media id and the fields that distinguish two files with one id."""
    parallel: dict[str, dict[int, bytes]] = field(default_factory=dict)
    """Chunks of incomplete parallel uploads, by `UploadID`."""
    announced: dict[str, str] = field(default_factory=dict)
    """Signatures of announced uploads, by the file's md5."""
    media: dict[str, MediaFile] = field(default_factory=dict)
    """Complete uploads and received files by `MediaId`."""
    accepted: dict[bytes, tuple[float, str]] = field(default_factory=dict)
    """Sends by their whole `Msg` as JSON, each with its time and the message id."""
    acts: deque[float] = field(default_factory=deque)
    """Times of its sends and changes within the last minute."""
    fetches: int = 0
    """Number of its syncs."""
    fetched_from: SyncKey | None = None
    """Position of its last sync."""
    expires: float = inf
    """Time at which it expires."""
    ended: Ret | None = None
    """Why it has ended; None while it is active."""
    silent_until: float = 0.0
    """Time until which a held poll does not report the end: a poll that does makes one client cancel its own logout."""

    def owns(self, skey: str) -> bool:
        """Return whether an skey was ever issued to this session."""
        return skey in {self.keys.skey, self.keys.first_skey}

    def receives(self, item: object) -> bool:
        """Return whether this login receives an event; a login of File Transfer Helper has only one chat."""
        return not self.is_helper or (
            isinstance(item, WireMessage) and FILEHELPER in {item.from_user_name, item.to_user_name}
        )

    def known(self, name: str) -> str:
        """
        Return the world id of a name.

        Raises:
            Refused: The name was never given out in this login, or the login can only write to its one chat.
        """
        world_id = self.names.world_id(name)
        if world_id is None or (self.is_helper and world_id != FILEHELPER):
            raise Refused(Ret.CHAT_GONE if name.startswith("@@") else Ret.TARGET_REFUSED)
        return world_id

    def act(self, now: float, most: int) -> None:
        """
        Count a send or a change.

        Raises:
            Refused: There were too many within the last minute.
        """
        while self.acts and now - self.acts[0] >= RATE_WINDOW:
            self.acts.popleft()
        if len(self.acts) >= most:
            raise Refused(Ret.TOO_FREQUENT)
        self.acts.append(now)

    def fetch_from(self, key: SyncKey, replay_every: int) -> SyncKey:
        """Return the position where a sync starts: the requested one, or every n-th time the previous one."""
        before, self.fetched_from = self.fetched_from or key, key
        self.fetches += 1
        return before if replay_every and self.fetches % replay_every == 0 else key

    def earlier(self, message: bytes, now: float) -> str:
        """Return the id that an equal `Msg` got within the last minute, or an empty text."""
        when, message_id = self.accepted.get(message, (0.0, ""))
        return message_id if now - when <= REPEAT_WINDOW else ""
