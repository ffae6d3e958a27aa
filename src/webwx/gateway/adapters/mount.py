"""
The adapters in front of the API: which requests are theirs, which program sends them, and what runs beside requests.

An adapter is imported when the first of its programs is used, after the gateway has begun to listen; until then none
of its modules is loaded. Every request is checked here before the adapter gets it: its token, the number of wrong
tokens and of requests, the size of its body, and how many requests of the program are open.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from litestar.enums import ScopeType

from webwx.errors import InvalidRequest, WxError
from webwx.gateway.access.auth import Caller, RequestRate
from webwx.gateway.accounts.account import AccountFollower
from webwx.gateway.adapters.adapter import AdapterRequest
from webwx.gateway.adapters.program import Program
from webwx.gateway.adapters.programs import read_options
from webwx.gateway.adapters.registry import PREFIX, adapter_of, load_adapter
from webwx.gateway.http.front import client_address
from webwx.gateway.http.refusals import refuse
from webwx.gateway.http.unauthenticated import admit
from webwx.gateway.problems import GatewayProblem, answer_of, public_sentence_of
from webwx.override import override

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from litestar.types import ASGIApp, Message, Receive, Scope, Send
    from litestar.types.asgi_types import HTTPScope, WebSocketScope

    from webwx.gateway.access.auth import FailedKeys
    from webwx.gateway.adapters.adapter import Adapter, AdapterParts
    from webwx.gateway.adapters.confirmations import Confirmations
    from webwx.gateway.adapters.peers import ProgramPeers
    from webwx.gateway.adapters.program import StoredProgram
    from webwx.gateway.adapters.programs import Programs
    from webwx.gateway.adapters.pushes import ProgramPushes
    from webwx.gateway.adapters.registry import AdapterPath
    from webwx.gateway.http.open_streams import OpenStream, OpenStreams

_log = logging.getLogger("webwx.gateway")

_CALLER = "program "
"""Begin of the id of a caller that is a program."""

_INTERNAL = 1011
"""Close code of a WebSocket after an error of the gateway."""


class AdapterMount:
    """
    Answers the requests of programs, and finds the accounts that they are for.

    Args:
        programs: The programs, with the adapters that there are.
        make_parts: Returns the parts of the gateway for the adapter with a name.
        peers: Notes what the programs do.
        pushes: The pushes of the programs.
        confirmations: The sends of the programs that wait for their owners.
        streams: The open streams.
        failed: Slows down wrong tokens.
    """

    def __init__(
        self,
        programs: Programs,
        make_parts: Callable[[str], AdapterParts],
        peers: ProgramPeers,
        pushes: ProgramPushes,
        confirmations: Confirmations,
        streams: OpenStreams,
        failed: FailedKeys,
    ) -> None:
        self._programs = programs
        self._make_parts = make_parts
        self._peers = peers
        self._pushes = pushes
        self._confirmations = confirmations
        self._streams = streams
        self._failed = failed
        self.sockets = ProgramSockets()
        """The open WebSockets, which end when this process ceases to run their accounts."""
        self._rate = RequestRate()
        self._opened: dict[str, Adapter] = {}
        self._begun: dict[str, Program] = {}
        """The programs whose work beside requests has begun, by their ids."""
        self._changing = asyncio.Lock()
        self._is_closed = False

    def __repr__(self) -> str:
        return f"AdapterMount({', '.join(self._opened)})"

    # -- requests ------------------------------------------------------------------------------------------------------

    def has(self, scope: Scope) -> bool:
        """Return whether a request is for an adapter, used or not."""
        return self._find(scope) is not None

    def _find(self, scope: Scope) -> AdapterPath | None:
        return None if scope["type"] not in _REQUESTS else adapter_of(scope["path"], self._programs.entries)

    def in_front_of(self, app: ASGIApp, answer: ASGIApp) -> ASGIApp:
        """Return an application that passes the requests of adapters to `answer`, and all others to `app`."""

        async def choose(scope: Scope, receive: Receive, send: Send) -> None:
            await (answer if self.has(scope) else app)(scope, receive, send)

        return choose

    def served(self, app: ASGIApp) -> ASGIApp:
        """Return an application that answers the requests of adapters that are in use, and passes on all others."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            found = self._find(scope)
            try:
                adapter = await self._used(found)
            except (GatewayProblem, WxError) as error:
                await refuse(scope, send, answer_of(error))
                return
            if found is None or adapter is None:
                await app(scope, receive, send)
            else:
                await self._answer(found, adapter, scope, receive, send)

        return answer

    async def _used(self, found: AdapterPath | None) -> Adapter | None:
        """
        Return the adapter that has a path; None if no program uses it.

        Raises:
            GatewayProblem: The libraries that it needs are not installed.
            StorageError: The programs cannot be read.
        """
        return await self._open(found.name) if found and await self._programs.is_used(found.name) else None

    async def _answer(
        self, found: AdapterPath, adapter: Adapter, scope: Scope, receive: Receive, send: Send
    ) -> None:  # fmt: skip
        cast("dict[str, Any]", scope)["path_template"] = f"{PREFIX}{found.name}"
        answer = _Answer(scope, send)
        request = AdapterRequest(
            program=None, scope=_below(scope, found), receive=receive, send=answer.send, stream=None
        )  # fmt: skip
        program: Program | None = None
        try:
            stored = await self._identify(adapter, found.name, request.scope)
            program = None if stored is None else Program(stored, read_options(type(adapter), stored))
            request = replace(request, program=program, receive=self._limited(adapter, scope, receive))
            if program is None:
                await adapter.answer(request)
            else:
                await self._until_begun(program.stored)
                address = client_address(scope)
                stream = self._streams.open(_caller(program.stored, address))
                if scope["type"] == ScopeType.WEBSOCKET:
                    self.sockets.add(stream, program.account)
                with self._peers.open(program.id, address, _agent(scope)):
                    await adapter.answer(replace(request, stream=stream))
        except Exception as error:  # noqa: BLE001 - an adapter and its libraries may raise anything
            if program is not None:
                self._peers.note_error(program.id, error, public_sentence_of(error))
            await answer.fail(adapter, request, error)

    async def _identify(self, adapter: Adapter, name: str, scope: Scope) -> StoredProgram | None:
        """
        Return the program of a request; None if the adapter needs no token for it.

        Raises:
            GatewayProblem: There is no token, or a wrong one, or the program makes too many requests.
        """
        token = adapter.token_of(scope)
        if token is None:
            return None
        address = client_address(cast("HTTPScope", scope))
        program = await self._programs.find_by_token(name, token) if token else None
        if program is None:
            if token:
                self._failed.add(address)
            raise GatewayProblem("unauthorized", "The request has no valid token of a program.")
        self._failed.forget(address)
        self._rate.take(program.id, adapter.parts.limits().requests_per_minute)
        admit(scope)
        return program

    def _limited(self, adapter: Adapter, scope: Scope, receive: Receive) -> Receive:
        """
        Return a function that receives a body of limited length.

        Raises:
            GatewayProblem: The request announces a longer one.
        """
        if scope["type"] != ScopeType.HTTP:
            return receive
        limit = adapter.parts.limits().body if adapter.max_body is None else adapter.max_body
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        if lengths and int(lengths[0]) > limit:
            raise _too_large(limit)
        size = 0

        async def receive_limited() -> Any:
            nonlocal size
            message = await receive()
            if message["type"] == "http.request":
                size += len(message["body"])
                if size > limit:
                    raise _too_large(limit)
            return message

        return receive_limited

    async def account_of(self, scope: HTTPScope | WebSocketScope) -> int | None:
        """
        Return the account of the program whose token a request has; None if no program has it.

        Raises:
            GatewayProblem: The libraries that the adapter needs are not installed.
            StorageError: The programs cannot be read.
        """
        found = self._find(scope)
        adapter = await self._used(found)
        if found is None or adapter is None:
            return None
        token = adapter.token_of(_below(scope, found))
        program = await self._programs.find_by_token(found.name, token) if token else None
        return None if program is None else program.account

    async def refuse_forwarded(
        self, scope: HTTPScope, send: Send, body: bytes | None, error: WxError | GatewayProblem
    ) -> None:
        """Answer a request to which the owner of its account has not answered, in the form of the adapter."""
        found = self._find(scope)
        adapter = None if found is None else self._opened.get(found.name)
        made = None if adapter is None else adapter.answer_to_lost(body, error)
        if made is None:
            await refuse(scope, send, answer_of(error))
            return
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(made.body)).encode())]
        await send({"type": "http.response.start", "status": made.status, "headers": headers})
        await send({"type": "http.response.body", "body": made.body, "more_body": False})

    async def is_current(self, caller: Caller) -> bool | None:
        """Return whether a program is still stored as it was for a request; None if the caller is no program."""
        if not caller.id.startswith(_CALLER):
            return None
        return await self._programs.revision_of(caller.id.removeprefix(_CALLER)) == caller.proof

    # -- beside requests -----------------------------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Work with the programs as they are stored now, by any process."""
        async with self._changing:
            if self._is_closed:
                return
            stored = {each.id: each for each in await self._programs.find() if each.enabled}
            for program_id in stored.keys() | self._begun.keys():
                program, begun = stored.get(program_id), self._begun.get(program_id)
                if begun is None or program is None or program.revision != begun.stored.revision:
                    await self._end(program_id)
                    if program is not None:
                        await self._begin(program)

    async def forget(self, program_id: str) -> None:
        """End the work of a program that was deleted, and delete what was stored for it."""
        await self.refresh()
        self._peers.forget(program_id)
        await self._pushes.forget(program_id)
        await self._confirmations.stored.forget(program_id)

    async def close(self) -> None:
        """End the work beside requests, and close the adapters."""
        async with self._changing:
            self._is_closed = True
            for program_id in list(self._begun):
                await self._end(program_id)
            for adapter in self._opened.values():
                await adapter.close()

    async def _until_begun(self, stored: StoredProgram) -> None:
        """
        Begin the work of a program before its first request, if another process has just stored it.

        Otherwise the owner could answer a question before the consumer that reads the answers has a position.
        """
        begun = self._begun.get(stored.id)
        if begun is None or begun.stored.revision != stored.revision:
            await self.refresh()

    async def _begin(self, stored: StoredProgram) -> None:
        """Begin the work of one program; if this fails, the error is noted, and its next change tries again."""
        try:
            adapter = await self._open_locked(stored.adapter)
            program = Program(stored, read_options(type(adapter), stored))
            try:
                await adapter.begin(program)
            finally:
                self._begun[stored.id] = program  # what a failed begin has done ends with the program
        except (InvalidRequest, GatewayProblem, WxError) as error:
            self._peers.note_error(stored.id, error, str(error))
            _log.warning("The program %s of the adapter %s does not run: %s", stored.id, stored.adapter, error)

    async def _end(self, program_id: str) -> None:
        program = self._begun.pop(program_id, None)
        if program is not None:
            adapter = self._opened[program.stored.adapter]
            await self._pushes.end(program_id)
            await adapter.end(program)

    async def _open(self, name: str) -> Adapter:
        """
        Return an adapter, imported if necessary.

        Raises:
            GatewayProblem: The libraries that it needs are not installed.
        """
        if name not in self._opened:
            async with self._changing:
                try:
                    return await self._open_locked(name)
                except InvalidRequest:
                    raise GatewayProblem(
                        "unavailable", "This adapter does not run; the log of the gateway says why."
                    ) from None
        return self._opened[name]

    async def _open_locked(self, name: str) -> Adapter:
        if name not in self._opened:
            adapter = await asyncio.to_thread(load_adapter, name, self._programs.entries)
            self._opened[name] = adapter(self._make_parts(name))
        return self._opened[name]


class ProgramSockets(AccountFollower):
    """The open WebSockets of programs: a client connects again, and reaches the next owner of its account."""

    def __init__(self) -> None:
        self._accounts: WeakKeyDictionary[OpenStream, int] = WeakKeyDictionary()

    def __repr__(self) -> str:
        return f"ProgramSockets({len(self._accounts)})"

    def add(self, stream: OpenStream, account: int) -> None:
        """Add the stream of a WebSocket, which ends by itself when its client leaves."""
        self._accounts[stream] = account

    @override
    def names_on(self, account: int) -> list[str]:
        return []

    async def end_elsewhere(self, elsewhere: Callable[[int], Awaitable[object | None]]) -> None:
        """
        End the WebSockets of accounts that another node runs now, while no node ran them before.

        Args:
            elsewhere: Returns the other node that runs an account; None if no other node does.

        Raises:
            StorageError: The nodes cannot be looked up.
        """
        for account in set(self._accounts.values()):
            if await elsewhere(account) is not None:
                await self.close_account(account)

    @override
    async def close_account(self, account: int) -> None:
        for stream, number in list(self._accounts.items()):
            if number == account:
                stream.ended.set()


_REQUESTS = frozenset({ScopeType.HTTP, ScopeType.WEBSOCKET})


class _Answer:
    """The answer to a request, which can fail before and after its begin."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._is_begun = False
        self._is_ended = False

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        self._is_begun = True
        self._is_ended = message["type"] == "websocket.close" or (
            message["type"].endswith("response.body") and not message.get("more_body")
        )
        await self._send(message)

    async def fail(self, adapter: Adapter, request: AdapterRequest, error: Exception) -> None:
        """
        Answer with an error, unless the answer has begun.

        The server closes the connection of an answer without an end, so the client sees that it is not complete.
        """
        if not self._is_begun:
            await adapter.refuse(request, error)
        elif not self._is_ended:
            answer_of(error)  # writes the place of an unforeseen error to the log
            if self._scope["type"] == ScopeType.WEBSOCKET:
                await self._send({"type": "websocket.close", "code": _INTERNAL, "reason": ""})


def _below(scope: Scope, found: AdapterPath) -> Scope:
    """Return a request with the path of the protocol."""
    prefix = scope["path"][: len(scope["path"]) - len(found.path)]
    raw = scope["raw_path"].removeprefix(prefix.encode())
    return cast(
        "Scope", {**scope, "path": found.path, "raw_path": raw, "root_path": f"{scope.get('root_path', '')}{prefix}"}
    )


def _caller(program: StoredProgram, address: str) -> Caller:
    return Caller(
        id=f"{_CALLER}{program.id}", scopes=(), accounts=(program.account,), address=address, proof=program.revision
    )


def _agent(scope: Scope) -> str:
    """Return how a client calls itself."""
    found = next((value for name, value in scope["headers"] if name == b"user-agent"), b"").decode("latin-1")
    return found if found.isprintable() else ""


def _too_large(limit: int) -> GatewayProblem:
    return GatewayProblem("body-too-large", f"A body has at most {limit} bytes.")
