"""
MCP over streamable HTTP: one JSON-RPC message in each POST, in both eras of the protocol, without sessions.

The gateway has checked the host name, the origin, the token and the size of the body before. A request that its client
gives up is cancelled, and with it a tool that waits; a send goes on.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import msgspec
from litestar.enums import ScopeType
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from webwx.gateway.adapters.adapter import Adapter, AdapterParts, AdapterRequest, AnswerToLost
from webwx.gateway.adapters.mcp.agent import Agent
from webwx.gateway.adapters.mcp.agent_options import AgentOptions
from webwx.gateway.adapters.mcp.client_questions import state_key
from webwx.gateway.adapters.mcp.gateway_account import GatewayServedAccount
from webwx.gateway.adapters.mcp.lost_calls import answer_to_lost
from webwx.gateway.adapters.mcp.owner_consent import OwnerConsent
from webwx.gateway.adapters.mcp.send_budget import SendBudget
from webwx.gateway.adapters.mcp.server import make_server
from webwx.gateway.problems import GatewayProblem, answer_of
from webwx.override import override

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, MutableMapping

    from litestar.types import Receive, Scope, Send

    from webwx.errors import WxError
    from webwx.gateway.adapters.mcp.server import Context
    from webwx.gateway.adapters.program import Program

_PATHS = frozenset(("/mcp", "/"))
"""Paths of the protocol: at the root, and below `/adapters/mcp/`."""

_ACCOUNT = "/mcp/"
"""Begin of a path that names the account, by its number or its name: only that of the token."""

_AGENT = "webwx_agent"
"""Key of the agent in the ASGI scope of its request."""

_SCHEME = "bearer"


_INVALID = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"This is no message of JSON-RPC."}}'


class _JsonRpcMessage(msgspec.Struct, frozen=True):
    """What makes an object a message of JSON-RPC: a method, or the answer to one."""

    jsonrpc: Literal["2.0"]
    method: str = ""
    result: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


class _KnownAgent(NamedTuple):
    """The agent of a program as it was stored at a time."""

    revision: str
    agent: Agent


class McpAdapter(Adapter):
    """The agents of all programs."""

    options: ClassVar[type[msgspec.Struct]] = AgentOptions

    def __init__(self, parts: AdapterParts) -> None:
        super().__init__(parts)
        self._agents: dict[str, _KnownAgent] = {}
        self._ended: list[Agent] = []
        """Agents of programs that were changed or deleted while they sent."""
        self._manager: StreamableHTTPSessionManager | None = None
        self._running: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()
        """Set as soon as the server takes requests."""
        self._stops = asyncio.Event()

    def token_of(self, scope: Scope) -> str:
        """Return the token of the header `Authorization`."""
        header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, token = header.decode("latin-1").partition(" ")
        return token.strip() if scheme.lower() == _SCHEME else ""

    async def answer(self, request: AdapterRequest) -> None:
        """Answer one message."""
        assert request.program is not None  # noqa: S101 - `token_of` never returns None
        assert request.stream is not None  # noqa: S101
        if request.scope["type"] != ScopeType.HTTP or not self._has_path(request.scope["path"], request.program):
            raise GatewayProblem("not-found", "MCP is at /mcp.")
        if request.scope["method"] != "POST":
            await _refuse_method(request.send)
            return
        body = await request.body()
        if not _is_message(body):
            await request.answer(400, _INVALID)
            return
        scope: Any = {**request.scope, _AGENT: self._agent_of(request.program)}
        manager = await self._started()
        send: Any = request.send
        work = manager.handle_request(scope, _whole(body), send)
        await request.stream.run(_until_gone(work, request.receive))

    def _has_path(self, path: str, program: Program) -> bool:
        """Return whether a path is one of the protocol, and names no other account than that of the program."""
        if not path.startswith(_ACCOUNT):
            return path in _PATHS
        account = self.parts.accounts.account(program.account)
        return path.removeprefix(_ACCOUNT) in {str(account.number), account.name}

    async def refuse(self, request: AdapterRequest, error: Exception) -> None:
        """Answer with a problem; without a valid token, the answer names the kind of token."""
        refused = answer_of(error)
        if refused.content.code != "unauthorized" or request.scope["type"] != ScopeType.HTTP:
            await super().refuse(request, error)
            return
        body = msgspec.json.encode(refused.content)
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
            (b"www-authenticate", b'Bearer error="invalid_token"'),
        ]
        await request.send({"type": "http.response.start", "status": refused.content.status, "headers": headers})
        await request.send({"type": "http.response.body", "body": body, "more_body": False})

    @override
    def answer_to_lost(self, body: bytes | None, error: WxError | GatewayProblem) -> AnswerToLost | None:
        return answer_to_lost(body, error)

    def _agent_of(self, program: Program) -> Agent:
        known = self._agents.get(program.id)
        if known is not None and known.revision == program.stored.revision:
            return known.agent
        parts, options = self.parts, program.options

        async def audit(tool: str, target: str, detail: str) -> None:
            await parts.audit(program, tool, target=target, detail=detail)

        agent = Agent(
            GatewayServedAccount(parts.accounts, program.account), program.permissions, options,
            SendBudget(parts.records, program.id, options, parts.clock), audit, parts.clock, program=program.id,
            consent=None if options.confirm == "off" else OwnerConsent(
                parts.confirmations, program, is_at_client=options.confirm == "client"
            ),
        )  # fmt: skip
        self._agents[program.id] = _KnownAgent(program.stored.revision, agent)
        return agent

    async def _started(self) -> StreamableHTTPSessionManager:
        key = b"" if self._manager is not None else await state_key(self.parts.records, self.parts.clock())
        if self._manager is None:
            server = make_server(_agent_in, state_seal=key)
            self._manager = StreamableHTTPSessionManager(
                server, json_response=True, stateless=True, max_request_body_size=sys.maxsize
            )
            self._running = asyncio.get_running_loop().create_task(self._run(self._manager))
        await self._begun.wait()
        return self._manager

    async def _run(self, manager: StreamableHTTPSessionManager) -> None:
        async with manager.run():
            self._begun.set()
            await self._stops.wait()

    async def begin(self, program: Program) -> None:
        """Take the answers of the owner to questions about sends, if the program asks any."""
        if program.options.confirm == "phone":
            await self.parts.confirmations.begin(program)

    async def end(self, program: Program) -> None:
        """Forget the agent of a program that was changed or deleted; its sends in progress go on."""
        await self.parts.confirmations.end(program)
        known = self._agents.pop(program.id, None)
        ended = [*self._ended, *([] if known is None else [known.agent])]
        self._ended = [each for each in ended if each.is_sending]

    async def close(self) -> None:
        """Finish the sends in progress, and end the server."""
        agents = [*self._ended, *(known.agent for known in self._agents.values())]
        await asyncio.gather(*(each.close() for each in agents))
        self._stops.set()
        if self._running is not None:
            await asyncio.wait([self._running])


def _is_message(body: bytes) -> bool:
    """Return whether a body is one message; what is no JSON at all is left to the SDK, which says so."""
    try:
        message = msgspec.json.decode(body, type=_JsonRpcMessage)
    except msgspec.ValidationError:
        return False
    except msgspec.DecodeError:
        return True
    return bool(message.method or bytes(message.result) or bytes(message.error))


def _agent_in(context: Context) -> Agent:
    assert context.request is not None  # noqa: S101 - every message is one of a request
    agent: Agent = context.request.scope[_AGENT]
    return agent


async def _refuse_method(send: Send) -> None:
    headers = [(b"allow", b"POST"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 405, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _whole(body: bytes) -> Callable[[], Awaitable[MutableMapping[str, Any]]]:
    """Return a function that receives a body that was read already, and then waits."""
    is_read = False

    async def receive_whole() -> Any:
        nonlocal is_read
        if is_read:
            return await asyncio.get_running_loop().create_future()  # `_until_gone` receives the end
        is_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_whole


async def _until_gone(work: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Answer a request; cancel the work if its client leaves."""
    answering = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if answering.done():
            answering.result()
    finally:
        for task in (answering, leaving):
            task.cancel()
        await asyncio.gather(answering, leaving, return_exceptions=True)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
