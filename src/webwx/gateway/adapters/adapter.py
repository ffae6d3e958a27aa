"""
What an adapter is, and what the gateway gives it.

An adapter serves one protocol for all programs that use it. It gets a request once the program of its token was found,
counted and checked, so no route of it can forget the check. It is a class below `gateway/adapters/<name>/` that is
imported when a program uses it; `docs/development/adapter.md` builds one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import msgspec

from webwx.gateway.http.refusals import refuse
from webwx.gateway.problems import GatewayProblem, answer_of
from webwx.gateway.stored_values import random_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from litestar.types import Receive, Scope, Send

    from webwx.errors import WxError
    from webwx.gateway.accounts.account import GatewayAccounts
    from webwx.gateway.adapters.confirmations import Confirmations
    from webwx.gateway.adapters.peers import ProgramPeers
    from webwx.gateway.adapters.program import Program
    from webwx.gateway.adapters.pushes import ProgramPushes
    from webwx.gateway.adapters.stored_ids import StoredIds
    from webwx.gateway.config import LimitsTable
    from webwx.gateway.http.open_streams import OpenStream
    from webwx.gateway.outgoing.outgoing import OutgoingClient
    from webwx.storage.tables.records import RecordStore


class NoOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of an adapter that has none."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AdapterRequest:
    """A request or an upgrade to a WebSocket, as ASGI has it."""

    program: Program | None
    """The program whose token the request has; None if the adapter needs no token for it."""
    scope: Scope
    """The request; its path is that of the protocol, such as `/v1/events`, wherever the adapter is mounted."""
    receive: Receive
    """Returns the body, which is at most as long as the configuration or the adapter allows."""
    send: Send
    stream: OpenStream | None
    """Ends when the program was changed, disabled or deleted, and when the gateway stops; None without a program."""

    def __repr__(self) -> str:
        return "AdapterRequest(***)"

    async def body(self) -> bytes:
        """
        Return the whole body.

        Raises:
            GatewayProblem: It is too long, or the client has left.
        """
        pieces = []
        while True:
            message = await self.receive()
            if message["type"] != "http.request":
                raise GatewayProblem("bad-request", "The connection was closed.")
            pieces.append(message["body"])
            if not message.get("more_body"):
                return b"".join(pieces)

    async def answer(self, status: int, body: bytes = b"", media_type: str = "application/json") -> None:
        """Send a whole answer."""
        headers = [(b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
        if body:
            headers.append((b"content-type", media_type.encode()))
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AdapterParts:
    """The parts of the gateway that an adapter uses."""

    accounts: GatewayAccounts
    records: RecordStore
    """Stores records, the same for all nodes; the kinds of an adapter begin with its name and `/`."""
    ids: StoredIds
    """Numbers that the adapter gives to things, stored for all nodes."""
    pushes: ProgramPushes
    """Push the events of accounts to addresses of programs."""
    confirmations: Confirmations
    """Sends that wait for the consent of the owner."""
    peers: ProgramPeers
    """Notes what programs do, for the console."""
    connect: Callable[[], OutgoingClient]
    """Returns the client for requests to other servers, which refuses private addresses."""
    limits: Callable[[], LimitsTable]
    """Returns the limits of the configuration, which may change."""
    clock: Callable[[], float]
    """Returns seconds since 1970."""
    sleep: Callable[[float], Awaitable[object]]
    """Waits for some seconds."""

    def __repr__(self) -> str:
        return "AdapterParts()"

    async def audit(self, program: Program, action: str, *, target: str = "", detail: str = "") -> None:
        """
        Append what a program did to the audit log.

        Args:
            program: The program.
            action: Name of the action, such as `send`.
            target: Id of what was changed.
            detail: One line, without secrets and texts of messages.
        """
        actor, name = f"program {program.id}", f"{program.stored.adapter}.{action}"
        await self.records.append_audit(actor, name, target=target, detail=detail, time=self.clock())


class AnswerToLost(NamedTuple):
    """The answer to a request whose answer by the node that runs the account was lost."""

    body: bytes
    """JSON."""
    status: int = HTTPStatus.OK
    """HTTP status."""

    def __repr__(self) -> str:
        return f"AnswerToLost({self.status})"


class Adapter(ABC):
    """
    One protocol.

    Args:
        parts: The parts of the gateway that it uses.
    """

    options: ClassVar[type[msgspec.Struct]] = NoOptions
    """Struct of the options of a program; it has `forbid_unknown_fields=True`."""

    max_body: ClassVar[int | None] = None
    """Maximum number of bytes of a body; None: as the configuration says."""

    def __init__(self, parts: AdapterParts) -> None:
        self.parts = parts

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @classmethod
    def check(cls, options: Any) -> None:
        """
        Check options beyond their types, such as an address.

        Raises:
            InvalidRequest: One of them is invalid.
        """
        del options

    @classmethod
    def new_token(cls, account: int) -> str:  # noqa: ARG003 - for protocols whose tokens name the account
        """Return a random token, in the form that the clients accept, with at least 32 characters."""
        return random_text(43)

    @abstractmethod
    def token_of(self, scope: Scope) -> str | None:
        """
        Return the token in the head of a request: empty if there is none, so the request is refused.

        None lets the request pass without a program, for what the protocol has before its token. Such an adapter is
        itself responsible for what it shows then.
        """

    @abstractmethod
    async def answer(self, request: AdapterRequest) -> None:
        """
        Answer a request. Errors that it raises are answered by `refuse`, as long as the answer has not begun.

        Raises:
            GatewayProblem: The request is refused.
            WxError: The same.
        """

    async def refuse(self, request: AdapterRequest, error: Exception) -> None:
        """Answer a request with an error, in the form that the clients understand; default: a problem of RFC 9457."""
        await refuse(request.scope, request.send, answer_of(error))

    def answer_to_lost(self, body: bytes | None, error: WxError | GatewayProblem) -> AnswerToLost | None:
        """
        Return the answer to a request whose answer by the node that runs the account was lost.

        Args:
            body: The body of the request. One of more than 1 MiB is JSON in which texts of more than 1 KiB are empty;
                None: it is longer than 1 MiB without them, or than 64 MiB with them.
            error: Why there is no answer; `SendOutcomeUnknown` if the request may have been acted upon.

        Returns:
            The answer; None: a problem of RFC 9457.
        """
        del body, error
        return None

    async def begin(self, program: Program) -> None:  # noqa: B027 - most adapters wait for requests
        """Begin what runs without a request of the program, such as its pushes, at the start and after a change."""

    async def end(self, program: Program) -> None:  # noqa: B027
        """End what `begin` has begun, beside pushes, which end by themselves."""

    async def close(self) -> None:  # noqa: B027
        """Close what the adapter itself has opened."""
