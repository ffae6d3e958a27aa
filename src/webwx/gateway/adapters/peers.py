"""What the programs of adapters do at this node: their open connections, and the last error of each."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec

from webwx.gateway.problems import GatewayProblem, code_of_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_PEERS = 50
"""Maximum number of requests and connections of one program at the same time."""

_LONGEST_AGENT = 100
"""Characters of the name of a client that are kept."""


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """A request or a connection that is open."""

    address: str
    """IP address."""
    agent: str
    """How the client calls itself; empty if it does not."""
    since: float
    """Time at which it was opened: seconds since 1970."""


class ProgramActivity(msgspec.Struct, frozen=True, kw_only=True):
    """What a program does at this node."""

    peers: tuple[Peer, ...] = ()
    last_request_at: float = 0.0
    """Time of the last request with its token: seconds since 1970; 0: there was none since the start."""
    last_error: str = ""
    """The last error since the start, without secrets and texts of chats; empty: there was none."""
    last_error_code: str = ""
    """Code of the last error, as of a problem."""
    last_error_at: float = 0.0
    """Time of the last error: seconds since 1970."""


_NO_ACTIVITY = ProgramActivity()


class ProgramPeers:
    """
    The activity of all programs at this node; it is not stored.

    Args:
        clock: Returns seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._activity: dict[str, ProgramActivity] = {}

    def __repr__(self) -> str:
        return f"ProgramPeers({len(self._activity)})"

    def of(self, program_id: str) -> ProgramActivity:
        """Return the activity of a program."""
        return self._activity.get(program_id, _NO_ACTIVITY)

    @contextlib.contextmanager
    def open(self, program_id: str, address: str, agent: str) -> Iterator[None]:
        """
        Count a request or a connection as long as it is open.

        Raises:
            GatewayProblem: The program has too many.
        """
        before = self.of(program_id)
        if len(before.peers) >= MOST_PEERS:
            raise GatewayProblem(
                "too-many-requests", f"This program has {MOST_PEERS} open requests and connections.", retry_after=1.0
            )
        now = self._clock()
        peer = Peer(address=address, agent=agent[:_LONGEST_AGENT], since=now)
        self._change(program_id, peers=(*before.peers, peer), last_request_at=now)
        try:
            yield
        finally:
            self._change(program_id, peers=_without(peer, self.of(program_id).peers))

    def note_error(self, program_id: str, error: Exception, text: str) -> None:
        """Note an error of a program, as a text without secrets and texts of chats."""
        self._change(
            program_id, last_error=text, last_error_code=code_of_error(error), last_error_at=self._clock()
        )  # fmt: skip

    def forget(self, program_id: str) -> None:
        """Forget a program that was deleted."""
        self._activity.pop(program_id, None)

    def _change(self, program_id: str, **changes: object) -> None:
        self._activity[program_id] = msgspec.structs.replace(self.of(program_id), **changes)


def _without(peer: Peer, peers: tuple[Peer, ...]) -> tuple[Peer, ...]:
    """Return peers without one of them, which may have equals."""
    return tuple(each for each in peers if each is not peer)
