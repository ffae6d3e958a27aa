"""
Bots that run at other nodes of a cluster.

A node knows its own bots only: which bots run on an account depends on the files with which its owner was started. So
the list of all bots is made of the lists of all nodes that run accounts, by a request that only nodes can make.
"""

from __future__ import annotations

import asyncio
import logging
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from litestar.connection import ASGIConnection

from webwx.errors import TransportError
from webwx.gateway.bots.bots import view_of_run
from webwx.gateway.forwarding.forwarded_requests import HEADER
from webwx.gateway.problems import GatewayProblem
from webwx.representations.bots import BotView
from webwx.representations.route import API

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from litestar.types import Scope, Send
    from litestar.types.asgi_types import HTTPScope

    from webwx.gateway.access.auth import Caller, Connection
    from webwx.gateway.bots.bots import HostedBots
    from webwx.gateway.forwarding.forwarded_requests import Signatures
    from webwx.gateway.forwarding.owner_client import OwnerClient

_log = logging.getLogger("webwx.gateway")

_CALL = re.compile(r"/bots/([^/]+)/.")

_LIST = f"{API}/node/bots"
"""A path for nodes only: a request of a client for it is never forwarded, because nodes need no key."""

_VIEWS = msgspec.json.Decoder(list[BotView])

_PATIENCE = 3.0
"""Seconds that another node has to answer."""


class Nodes(Protocol):
    """The nodes of the cluster and the accounts."""

    async def other_nodes(self) -> list[str]:
        """
        Return the addresses of the other nodes that run accounts.

        Raises:
            StorageError: The database cannot be reached.
        """
        ...

    async def look_up_account(self, which: str) -> int | None:
        """
        Return the number of an account by its number or name; None if no node has added it.

        Raises:
            StorageError: The database cannot be reached.
        """
        ...


class BotExchange:
    """
    Lists the bots of the other nodes, and answers them with those of this node.

    Args:
        bots: The bots of this node.
        nodes: The nodes of the cluster.
        recognize: Returns the caller of a request; None without a valid key or session.
        signatures: Signs requests to other nodes.
        client: Sends requests to other nodes.
    """

    def __init__(
        self,
        bots: HostedBots,
        nodes: Nodes,
        recognize: Callable[[Connection], Awaitable[Caller | None]],
        signatures: Signatures,
        client: OwnerClient,
    ) -> None:
        self._bots = bots
        self._nodes = nodes
        self._recognize = recognize
        self._signatures = signatures
        self._client = client

    def __repr__(self) -> str:
        return "BotExchange()"

    async def find(self) -> list[BotView]:
        """
        Return the bots of all nodes; those of a node that does not answer are missing.

        Raises:
            StorageError: The database cannot be reached.
        """
        answers = await asyncio.gather(*map(self._ask, await self._nodes.other_nodes()))
        return [*map(view_of_run, self._bots.runs), *(view for answer in answers for view in answer)]

    async def account_of(self, scope: HTTPScope) -> int | None:
        """
        Return the account of the bot that a request calls; None if the request is to be answered or refused here.

        Raises:
            GatewayProblem: The bot runs on several accounts that the caller reaches, and none is named.
            StorageError: The database cannot be reached.
        """
        call = _CALL.match(scope["path"])
        if call is None:
            return None
        connection = ASGIConnection[Any, Any, Any, Any](scope)
        which = connection.query_params.get("account")
        if which is not None:
            return await self._nodes.look_up_account(which)
        caller = await self._recognize(connection)
        if caller is None or not caller.allows("bots"):
            return None
        accounts = {view.account for view in await self.find() if view.name == call[1] and caller.reaches(view.account)}
        if len(accounts) > 1:
            raise GatewayProblem("not-found", "The bot runs on several accounts; add ?account=NAME.")
        return next(iter(accounts), None)

    async def send_runs(self, scope: Scope, send: Send) -> bool:
        """Answer a request of another node for the bots of this one; return False if it is for something else."""
        if scope["path"] != _LIST:
            return False
        body = msgspec.json.encode([view_of_run(run) for run in self._bots.runs])
        headers = [(b"content-length", str(len(body)).encode()), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})
        return True

    async def _ask(self, address: str) -> list[BotView]:
        """Return the bots of a node; none if it does not answer."""
        headers = [(HEADER, self._signatures.sign("GET", _LIST))]
        try:
            async with (
                asyncio.timeout(_PATIENCE),
                self._client.request("GET", f"{address.rstrip('/')}{_LIST}", headers, None, is_safe=True) as answer,
            ):
                if answer.status == HTTPStatus.OK:
                    pieces = [piece async for piece in answer.pieces()]
                    return _VIEWS.decode(b"".join(pieces))
                _log.warning("A node has answered %d instead of the list of its bots.", answer.status)
        except (TransportError, TimeoutError, msgspec.DecodeError) as error:
            _log.warning("The bots of a node cannot be listed now (%s).", type(error).__name__)
        return []
