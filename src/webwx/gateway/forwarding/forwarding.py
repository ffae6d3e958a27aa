"""
An ASGI application that forwards requests for an account to the node that owns it.

Every node of a cluster answers clients. A request whose path names an account, or a link of one, is forwarded to the
account's owner, body and answer piece by piece, so nothing is collected in memory: a slow client slows the owner down,
and if the client leaves, the forwarded request ends. A WebSocket of an adapter is forwarded in the same way, message by
message. A request for an upload is forwarded to the node that stores it, a call of a bot to the owner of the bot's
account.

The owner decides by the header whether it still owns the account, before it reads the body, and answers 421 otherwise.
The first node then looks the owner up again, once. A node never forwards a request of another node. If a change was
sent and its answer was lost, the outcome is unknown, and it is not repeated.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import msgspec
from litestar import WebSocket
from litestar.enums import ScopeType
from litestar.exceptions import WebSocketDisconnect

from webwx.errors import ConnectFailed, SendOutcomeUnknown, Timeout, TransportError, WxError
from webwx.gateway.access.auth import SAFE_METHODS
from webwx.gateway.forwarding.forwarded_requests import HEADER, forwarded_request, method_of, target_of
from webwx.gateway.forwarding.kept_body import KeptBody
from webwx.gateway.forwarding.owner_client import ClosedSocket, UpgradeRefused
from webwx.gateway.http.front import client_address
from webwx.gateway.http.refusals import refuse
from webwx.gateway.http.unauthenticated import admit
from webwx.gateway.problems import BY_STATUS, GatewayProblem, answer_of
from webwx.representations.sends import SHOW_UPLOAD

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence

    from litestar.types import ASGIApp, Receive, Scope, Send
    from litestar.types.asgi_types import HTTPScope, WebSocketScope

    from webwx.gateway.accounts.account_finders import FindsAccount, FindsSocketAccount, RefusesForwarded
    from webwx.gateway.forwarding.bot_exchange import BotExchange
    from webwx.gateway.forwarding.forwarded_requests import ForwardedRequest, Signatures
    from webwx.gateway.forwarding.owner_client import OwnerClient, OwnerSocket
    from webwx.gateway.forwarding.upload_exchange import UploadExchange

_log = logging.getLogger("webwx.gateway")

ROUTE = "forwarded"
"""Template of the route of all forwarded requests, for the request times."""

_RETRY_AFTER = 2.0
"""Seconds after which a request may succeed that found no owner."""

_HOP_BY_HOP = frozenset(
    {
        b"connection", b"expect", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection",
        b"te", b"trailer", b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip
"""Headers that concern one connection only."""

_OF_THIS_SERVER = frozenset({b"date", b"server"})
"""Headers that the server of this node adds itself."""

_GOING_AWAY = 1012
"""Close code of a WebSocket whose other end is lost: the service restarts."""

_LEFT = 1001
"""Close code of a WebSocket whose client is lost."""

_NEVER_SENT = frozenset({1005, 1006, 1015})
"""Close codes of WebSockets that only state how a connection was lost."""

_QUOTED = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
"""Characters of a target that stay as they are; others would not be sent as they are."""


class Elsewhere(msgspec.Struct, frozen=True):
    """The owner of an account, which is another node."""

    address: str
    """URL of the owner's listener, without a path."""
    epoch: int
    """The account's epoch."""


class Owners(Protocol):
    """The owners of the accounts."""

    async def look_up_account(self, which: str) -> int | None:
        """
        Return the number of an account by its number or name; None if no node has added it.

        Raises:
            StorageError: The database cannot be reached.
        """
        ...

    async def elsewhere(self, number: int, *, is_fresh: bool = False) -> Elsewhere | None:
        """
        Return the node that owns an account; None if this node answers, because it owns the account or no node does.

        Args:
            number: Number of the account.
            is_fresh: Ask the database again, because the node that was found before is not the owner.

        Raises:
            StorageError: The database cannot be reached.
        """
        ...

    def owns(self, number: int, epoch: int) -> bool:
        """Return whether this node owns an account with an epoch."""
        ...

    async def other_nodes(self) -> list[str]:
        """
        Return the addresses of the other nodes that run accounts.

        Raises:
            StorageError: The database cannot be reached.
        """
        ...


class _Find(Protocol):
    async def __call__(self, *, is_fresh: bool) -> Elsewhere | None: ...


class RequestForwarding:
    """
    Forwards requests to the owners of their accounts, and passes on all others.

    Args:
        app: Answers the requests of this node.
        owners: The owners of the accounts.
        signatures: Signs forwarded requests.
        client: Sends requests to other nodes.
        uploads: The uploads of other nodes.
        bots: The bots of other nodes.
        finders: Find the account that a request is for; they are asked in turn.
        socket_finder: Finds the account that a WebSocket is for; None: all WebSockets stay at this node.
        refuser: Answers in the form of another protocol if the owner does not; None: each such answer is a problem.
    """

    def __init__(
        self,
        app: ASGIApp,
        owners: Owners,
        signatures: Signatures,
        client: OwnerClient,
        uploads: UploadExchange,
        bots: BotExchange,
        finders: Sequence[FindsAccount],
        socket_finder: FindsSocketAccount | None = None,
        refuser: RefusesForwarded | None = None,
    ) -> None:
        self._app = app
        self._socket_finder = socket_finder
        self._refuser = refuser
        self._owners = owners
        self._finders = finders
        self._uploads = uploads
        self._bots = bots
        self._signatures = signatures
        self._client = client
        self._endable: set[asyncio.Task[bool]] = set()
        """Forwarded event streams, and requests that only read and whose answer has not begun."""
        self._closing = asyncio.Event()

    def __repr__(self) -> str:
        return "RequestForwarding()"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request or pass it on."""
        forwarded = forwarded_request(scope)
        if forwarded is not None:
            await self._answer_node(forwarded, scope, receive, send)
        elif scope["type"] == ScopeType.HTTP:
            keeps_body = self._refuser is not None and self._refuser.has(scope)
            await self._answer_client(_ForwardedExchange(scope, receive, send, keeps_body=keeps_body))
        else:
            await self._answer_upgrade(scope, receive, send)

    async def _answer_node(self, forwarded: ForwardedRequest, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of another node, here or not at all."""
        if forwarded.account is None:
            if await self._uploads.send_content(scope, send) or await self._bots.send_runs(scope, send):
                return
        elif not self._owners.owns(forwarded.account, forwarded.epoch):
            await refuse(scope, send, answer_of(GatewayProblem("not-owner")))
            return
        await self._app(scope, receive, send)

    async def _answer_client(self, exchange: _ForwardedExchange) -> None:
        """Answer a request of a client, here or by another node."""
        path, number = exchange.scope["path"], None
        try:
            number, is_forwarded = await self._account_of(exchange.scope), False
            if number is not None:
                is_forwarded = await self._forward(exchange, number, partial(self._owners.elsewhere, number))
            elif (upload := SHOW_UPLOAD.values_in(path)) is not None:
                is_forwarded = await self._forward(exchange, None, partial(self._node_of_upload, upload[0]))
        except (GatewayProblem, WxError) as error:
            if self._refuser is not None and exchange.keeps_body and number is not None:
                await self._refuser.refuse_forwarded(exchange.scope, exchange.send, await exchange.kept(), error)
            else:
                await exchange.refuse(error)
        else:
            if not is_forwarded:
                await self._app(exchange.scope, exchange.receive, exchange.send)

    async def _account_of(self, scope: HTTPScope) -> int | None:
        """Return the number of the account that a request is for; None for other requests."""
        for finder in self._finders:
            number = await finder.account_of(scope)
            if number is not None:
                return number
        return None

    async def _node_of_upload(self, upload_id: str, *, is_fresh: bool = False) -> Elsewhere | None:  # noqa: ARG002 - it never moves
        address = await self._uploads.node_of(upload_id)
        return None if address is None else Elsewhere(address, 0)

    async def _forward(self, exchange: _ForwardedExchange, number: int | None, find: _Find) -> bool:
        """
        Forward a request; return False if this node has to answer it.

        Args:
            exchange: The request.
            number: Number of the account that it is for; None: it is for an upload.
            find: Returns the node that answers it.

        Raises:
            GatewayProblem: There is no such node, and nothing was done.
            SendOutcomeUnknown: The answer to a change was lost.
            StorageError: The node cannot be looked up.
            Timeout: The node does not answer.
        """
        for is_fresh in (False, True):
            owner = await find(is_fresh=is_fresh)
            if owner is None:
                return False
            try:
                if await self._run(exchange, number, owner):
                    return True
            except ConnectFailed:
                pass
            except TransportError as error:
                if not exchange.is_safe:
                    raise SendOutcomeUnknown(
                        "The answer of another gateway was lost; check what was done before you repeat this."
                    ) from None
                if isinstance(error, Timeout):
                    raise
            if exchange.has_read:
                break
        raise _no_owner()

    async def _run(self, exchange: _ForwardedExchange, number: int | None, owner: Elsewhere) -> bool:
        """Forward a request to a node; return False if the node is not the owner."""
        work = asyncio.ensure_future(self._exchange(exchange, number, owner))
        leaving = asyncio.ensure_future(exchange.until_client_leaves())
        if exchange.is_safe:
            self._endable.add(work)
        try:
            await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():  # the client has left
                return True
            if not work.cancelled():
                return work.result()
            await exchange.end()
            return True
        finally:
            self._endable.discard(work)
            for each in (work, leaving):
                each.cancel()
            await asyncio.wait({work, leaving})

    async def _exchange(self, exchange: _ForwardedExchange, number: int | None, owner: Elsewhere) -> bool:
        """Send a request to a node, and its answer to the client; return False if the node is not the owner."""
        scope = exchange.scope
        scope["path_template"] = ROUTE
        async with self._client.request(
            scope["method"], *self._head(scope, number, owner), exchange.body(), is_safe=exchange.is_safe
        ) as answer:
            if answer.status == HTTPStatus.MISDIRECTED_REQUEST:
                return False
            if answer.status < HTTPStatus.BAD_REQUEST:  # the owner has checked the key
                admit(scope)
            headers = [(name.lower(), value) for name, value in answer.headers]
            if not _is_event_stream(headers):
                self._endable.discard(asyncio.current_task())
            await exchange.begin(answer.status, _end_to_end(headers, _OF_THIS_SERVER))
            try:
                async for piece in answer.pieces():
                    await exchange.continue_with(piece)
            except TransportError as error:
                # The server closes the connection, so the client sees that the answer is not complete.
                _log.warning("An answer of the owner of an account was cut off: %s", error)
                return True
            await exchange.end()
            return True

    def _head(
        self, scope: HTTPScope | WebSocketScope, number: int | None, owner: Elsewhere
    ) -> tuple[str, list[tuple[str, str]]]:
        """Return the URL and the headers of a forwarded request."""
        target = quote(target_of(scope), safe=_QUOTED)
        host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
        signed = self._signatures.sign(
            method_of(scope), target, account=number, epoch=owner.epoch, client=client_address(scope), host=host,
            scheme=scope["scheme"], root=str(scope.get("app_root_path", "")),
        )  # fmt: skip
        kept = _end_to_end(scope["headers"], frozenset())
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in kept]
        return f"{owner.address.rstrip('/')}{target}", [*headers, (HEADER, signed)]

    # -- WebSockets ----------------------------------------------------------------------------------------------------

    async def _answer_upgrade(self, scope: WebSocketScope, receive: Receive, send: Send) -> None:
        """Answer an upgrade of a client, here or by the owner of its account."""
        try:
            number = None if self._socket_finder is None else await self._socket_finder.account_of(scope)
            is_forwarded = number is not None and await self._forward_socket(number, scope, receive, send)
        except (GatewayProblem, WxError) as error:
            await refuse(scope, send, answer_of(error))
        else:
            if not is_forwarded:
                await self._app(scope, receive, send)

    async def _forward_socket(self, number: int, scope: WebSocketScope, receive: Receive, send: Send) -> bool:
        """
        Connect a client with the owner of an account, until one of them closes the connection.

        Returns:
            False if this node owns the account, or no node does.

        Raises:
            GatewayProblem: There is no owner, or it has refused the connection.
            StorageError: The owner cannot be looked up.
        """
        async with self._socket_to_owner(number, scope) as other:
            if other is None:
                return False
            admit(scope)  # the owner has checked the token
            socket: WebSocket[Any, Any, Any] = WebSocket(scope, receive, send)
            await socket.accept(other.subprotocol)
            with suppress(WebSocketDisconnect):  # the client has left
                await self._connect(socket, other)
            return True

    async def relay(self, socket: WebSocket[Any, Any, Any], number: int, first: str) -> bool:
        """
        Connect the WebSocket of a consumer with the owner of its account, until one of them closes it.

        Args:
            socket: The accepted connection of the client.
            number: Number of the account.
            first: The first message of the client.

        Returns:
            False if this node owns the account, or no node does.

        Raises:
            GatewayProblem: There is no owner, or it has refused the connection.
            StorageError: The owner cannot be looked up.
            WebSocketDisconnect: The client has left.
        """
        if forwarded_request(socket.scope) is not None:
            return False
        async with self._socket_to_owner(number, socket.scope, first) as other:
            if other is not None:
                await self._connect(socket, other)
            return other is not None

    @asynccontextmanager
    async def _socket_to_owner(
        self, number: int, scope: WebSocketScope, first: str | None = None
    ) -> AsyncGenerator[OwnerSocket | None, None]:
        """
        Open a WebSocket to the owner of an account; None if this node owns the account, or no node does.

        Args:
            number: Number of the account.
            scope: The upgrade of the client.
            first: The first message of the client, if it was read.

        Raises:
            GatewayProblem: There is no owner, or it has refused the connection.
            StorageError: The owner cannot be looked up.
        """
        for is_fresh in (False, True):
            owner = await self._owners.elsewhere(number, is_fresh=is_fresh)
            if owner is None:
                yield None
                return
            async with AsyncExitStack() as opened:
                try:
                    url, headers = self._head(scope, number, owner)
                    other = await opened.enter_async_context(self._client.socket(url, headers, scope["subprotocols"]))
                    if first is not None:
                        await other.send(first)
                except UpgradeRefused as refused:
                    if refused.status != HTTPStatus.MISDIRECTED_REQUEST:
                        raise _refused_by_owner(refused.status) from None
                except TransportError:
                    pass
                else:
                    yield other
                    return
        raise _no_owner()

    async def _connect(self, socket: WebSocket[Any, Any, Any], other: OwnerSocket) -> None:
        """Pass on messages both ways until one end closes the connection; close the other one with the same code."""

        async def from_client() -> None:
            while True:
                await other.send(await _next_message(socket))

        async def from_owner() -> ClosedSocket:
            while True:
                message = await other.receive()
                if isinstance(message, ClosedSocket):
                    return message
                await (socket.send_text(message) if isinstance(message, str) else socket.send_bytes(message))

        tasks: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(work) for work in (from_owner(), from_client(), self._closing.wait())
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        reading, writing, _ = tasks
        if not reading.cancelled() and reading.exception() is None:
            closed: ClosedSocket = reading.result()
            await socket.close(_GOING_AWAY if closed.code in _NEVER_SENT else closed.code, closed.reason)
            return
        left = None if writing.cancelled() else writing.exception()
        if isinstance(left, WebSocketDisconnect):
            await other.close(_LEFT if left.code in _NEVER_SENT else left.code)
            raise left
        await other.close(_LEFT)
        await socket.close(_GOING_AWAY, "restart")

    def begin_closing(self) -> None:
        """End forwarded streams, and requests that wait for an answer without changing anything."""
        self._closing.set()
        for task in list(self._endable):
            task.cancel()

    async def close(self) -> None:
        """Close the connections to other nodes."""
        await self._client.close()


class _ForwardedExchange:
    """
    A request of a client and its answer.

    Args:
        scope: The request.
        receive: Returns the next part of the body, or that the client has left.
        send: Sends a part of the answer.
        keeps_body: Whether the body is kept, without long texts, for the answer to a request that was lost.
    """

    def __init__(self, scope: HTTPScope, receive: Receive, send: Send, *, keeps_body: bool = False) -> None:
        self.keeps_body = keeps_body
        self._kept = KeptBody()
        self.scope = scope
        self.send = send
        self.is_safe: bool = scope["method"] in SAFE_METHODS
        self.has_read = False
        """Whether a part of the body was read, so that the request cannot be repeated."""
        self._receive = receive
        self._has_body = _has_body(scope["headers"])
        self._body_ended = asyncio.Event()
        """Set when the body is complete, or the client has left."""
        self._has_left = False
        self._has_begun = False
        """Whether the client has got the beginning of an answer."""
        if not self._has_body:
            self._body_ended.set()

    async def receive(self) -> Any:
        """Return the next part of the body for an application of this node; an empty body may have been read before."""
        if not self._has_body and not self.has_read:
            self.has_read = True
            return {"type": "http.request", "body": b"", "more_body": False}
        return await self._receive()

    def body(self) -> AsyncIterator[bytes] | None:
        """Return the pieces of the body; None if the request has none."""
        return self._pieces() if self._has_body else None

    async def _pieces(self) -> AsyncIterator[bytes]:
        self.has_read = True
        while True:
            message: Any = await self._receive()
            if message["type"] != "http.request":
                self._has_left = True
                self._body_ended.set()
                await asyncio.get_running_loop().create_future()  # cancelled with the forwarded request
            self._keep(message["body"])
            yield message["body"]
            if not message.get("more_body"):
                self._body_ended.set()
                return

    def _keep(self, piece: bytes) -> None:
        if self.keeps_body:
            self._kept.add(piece)

    async def kept(self) -> bytes | None:
        """Return the body as it was kept; None if it is too long, or the client has left."""
        while not self._body_ended.is_set() and self._kept.is_kept:
            message: Any = await self._receive()
            self._has_left = message["type"] != "http.request"
            if self._has_left:
                break
            self._keep(message["body"])
            if not message.get("more_body"):
                self._body_ended.set()
        return None if self._has_left else self._kept.content()

    async def until_client_leaves(self) -> None:
        """Wait until the client has closed its connection."""
        await self._body_ended.wait()
        while not self._has_left:
            message = await self._receive()
            self._has_left = message["type"] != "http.request"

    async def begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Send the head of the answer."""
        self._has_begun = True
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    async def continue_with(self, piece: bytes) -> None:
        """Send a piece of the answer's body; return when the client has read enough."""
        await self.send({"type": "http.response.body", "body": piece, "more_body": True})

    async def end(self) -> None:
        """End the answer; if it has not begun, answer that the gateway stops."""
        if self._has_begun:
            await self.send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await self.refuse(GatewayProblem("unavailable", "The gateway is stopping.", retry_after=_RETRY_AFTER))

    async def refuse(self, error: Exception) -> None:
        """Answer with the problem of an error."""
        await refuse(self.scope, self.send, answer_of(error))


async def _next_message(socket: WebSocket[Any, Any, Any]) -> str | bytes:
    """
    Return the next message of a client.

    Raises:
        WebSocketDisconnect: The client has left.
    """
    message: Any = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(detail="The client has left.", code=message["code"])
    text: str | None = message.get("text")
    return bytes(message["bytes"]) if text is None else text


def _refused_by_owner(status: int) -> GatewayProblem:
    code = BY_STATUS.get(status, "bad-request") if status < HTTPStatus.INTERNAL_SERVER_ERROR else "unavailable"
    return GatewayProblem(code, f"The owner of the account has answered {status}.")


def _no_owner() -> GatewayProblem:
    return GatewayProblem("no-owner", "Nothing was done; send the request again later.", retry_after=_RETRY_AFTER)


def _has_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip() != b"0") for name, value in headers
    )


def _is_event_stream(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name == b"content-type" and value.startswith(b"text/event-stream") for name, value in headers)


def _end_to_end(headers: Iterable[tuple[bytes, bytes]], without: frozenset[bytes]) -> list[tuple[bytes, bytes]]:
    """Return the headers, with names in lower case, that do not concern the connection only."""
    headers = list(headers)
    named = {each.strip().lower() for name, value in headers if name == b"connection" for each in value.split(b",")}
    dropped = _HOP_BY_HOP | named | without
    return [(name, value) for name, value in headers if name not in dropped and not name.startswith(b"sec-websocket-")]
