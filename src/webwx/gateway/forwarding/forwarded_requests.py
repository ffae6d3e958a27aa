"""
Requests that one node of a cluster forwards to another one, and their signatures.

The node that receives a request does not know the caller's address, nor the host name and scheme that the caller used:
it sees the node that forwards. That node states them in a header, which it signs with a secret that all nodes share;
the key of the caller stays in its own header, and is checked by the node that answers.

A signature covers the method, the path, the query and the stated values. It is valid once, and for `LONGEST_AGE`; nodes
use the database's clock for it, because those of their machines may differ by more. It does not cover the body and the
other headers: a program that can change them on their way can also read the caller's key, so nodes need TLS or a
private network between them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from typing import TYPE_CHECKING

import msgspec
from litestar.enums import ScopeType

from webwx.errors import InvalidSettings
from webwx.gateway.http.refusals import refuse
from webwx.gateway.http.unauthenticated import admit
from webwx.gateway.problems import GatewayProblem, answer_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar.types import ASGIApp, Receive, Scope, Send
    from litestar.types.asgi_types import HTTPScope, WebSocketScope

HEADER = "Webwx-Forwarded"
"""Header with the signed values of a forwarded request."""

LONGEST_AGE = 30.0
"""Maximum difference in seconds between the time of a signature and the clock of the node that receives it."""

_SHORTEST_SECRET = 16
"""Minimum number of bytes of the secret."""

_NAME = HEADER.lower().encode()

_STATE = "forwarded"
"""Key of the forwarded request in the state of a scope."""


class ForwardedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the first node of a request states about it."""

    account: int | None
    """Number of the account that the request is for; None: it is for the node itself, such as an upload of it."""
    epoch: int
    """Epoch of the account that the first node has seen; 0 without an account."""
    client: str
    """IP address of the caller; empty if it is unknown."""
    host: str
    """Host header of the caller."""
    scheme: str
    """Scheme of the URL that the caller used."""
    time: float
    """Time of the signature, in seconds since 1970."""
    root: str = ""
    """Path below which a proxy serves the first node; empty: the root of its name."""
    nonce: str
    """Random text; a second request with the same one is refused."""

    def __repr__(self) -> str:
        return f"ForwardedRequest(epoch {self.epoch})"


class Signatures:
    """
    Signs forwarded requests, and checks their signatures.

    Args:
        secret: The secret that all nodes of the cluster share.
        clock: Returns seconds since 1970.

    Raises:
        InvalidSettings: The secret is too short.
    """

    def __init__(self, secret: bytes, clock: Callable[[], float] = time.time) -> None:
        if len(secret) < _SHORTEST_SECRET:
            raise InvalidSettings(f"The secret of a cluster needs at least {_SHORTEST_SECRET} bytes.")
        self._secret = secret
        self._clock = clock
        self._used: dict[str, float] = {}
        """Nonces of accepted requests, and the times after which these would be too old; the oldest first."""

    def __repr__(self) -> str:
        return "Signatures()"

    def sign(
        self,
        method: str,
        target: str,
        *,
        account: int | None = None,
        epoch: int = 0,
        client: str = "",
        host: str = "",
        scheme: str = "http",
        root: str = "",
    ) -> str:
        """
        Return the header's value for a request to another node.

        Args:
            method: The method.
            target: Path and query, as they are sent.
            account: Number of the account that it is for; None: it is for the node itself.
            epoch: The account's epoch.
            client: IP address of the caller.
            host: Host header of the caller.
            scheme: Scheme of the URL that the caller used.
            root: Path below which a proxy serves this node.
        """
        stated = msgspec.json.encode(
            ForwardedRequest(
                account=account, epoch=epoch, client=client, host=host, scheme=scheme, root=root,
                time=self._clock(), nonce=secrets.token_urlsafe(16),
            )
        )  # fmt: skip
        return f"{_encode(stated)}.{_encode(self._signature(method, target, stated))}"

    def verify(self, scope: HTTPScope | WebSocketScope, value: bytes) -> ForwardedRequest:
        """
        Return what a signed header states.

        Args:
            scope: The request.
            value: Value of its header.

        Raises:
            GatewayProblem: The signature is wrong, too old or used already.
        """
        text, _, signature = value.partition(b".")
        try:
            stated, found = _decode(text), _decode(signature)
        except (binascii.Error, ValueError):
            raise GatewayProblem("bad-signature") from None
        if not hmac.compare_digest(self._signature(method_of(scope), target_of(scope), stated), found):
            raise GatewayProblem("bad-signature")
        request = msgspec.json.decode(stated, type=ForwardedRequest)
        now = self._clock()
        if abs(now - request.time) > LONGEST_AGE:
            raise GatewayProblem(
                "bad-signature", f"The clocks of two nodes differ, or a request took more than {LONGEST_AGE:g} seconds."
            )
        while self._used and next(iter(self._used.values())) < now:
            del self._used[next(iter(self._used))]
        if request.nonce in self._used:
            raise GatewayProblem("bad-signature")
        self._used[request.nonce] = now + 2 * LONGEST_AGE
        return request

    def _signature(self, method: str, target: str, stated: bytes) -> bytes:
        text = b"\n".join((method.encode(), target.encode(), stated))
        return hmac.new(self._secret, text, hashlib.sha256).digest()


class SignedRequests:
    """
    The outermost application of a node of a cluster: it tells requests of other nodes from those of clients.

    Args:
        signed: Gets the requests of other nodes, which have checked the host name and the origin.
        unsigned: Gets all other requests; None: they are refused, because this node answers no clients.
        signatures: Checks the signatures.
    """

    def __init__(self, signed: ASGIApp, unsigned: ASGIApp | None, signatures: Signatures) -> None:
        self._signed = signed
        self._unsigned = unsigned
        self._signatures = signatures

    def __repr__(self) -> str:
        return "SignedRequests()"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request or an upgrade, or refuse it."""
        value = next((value for name, value in scope["headers"] if name == _NAME), None)
        if value is None and self._unsigned is not None:
            await self._unsigned(scope, receive, send)
            return
        try:
            if value is None:
                raise GatewayProblem("bad-signature", "This node answers requests of other nodes only.")
            request = self._signatures.verify(scope, value)
        except GatewayProblem as refusal:
            await refuse(scope, send, answer_of(refusal))
            return
        admit(scope)
        scope["client"] = (request.client, 0)
        scope["scheme"] = request.scheme
        if request.root:
            scope["app_root_path"] = request.root  # type: ignore[typeddict-unknown-key] # a key of the framework
        scope["headers"] = [
            *((name, value) for name, value in scope["headers"] if name not in {_NAME, b"host"}),
            (b"host", request.host.encode("latin-1")),
        ]
        scope.setdefault("state", {})[_STATE] = request
        await self._signed(scope, receive, send)


def forwarded_request(scope: Scope) -> ForwardedRequest | None:
    """Return what another node has stated about a request; None if a client has sent the request to this node."""
    found: ForwardedRequest | None = scope.get("state", {}).get(_STATE)
    return found


def target_of(scope: HTTPScope | WebSocketScope) -> str:
    """Return the path and the query of a request, as the client has sent them."""
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def method_of(scope: HTTPScope | WebSocketScope) -> str:
    """Return the method of a request; that of an upgrade is GET."""
    return scope["method"] if scope["type"] == ScopeType.HTTP else "GET"


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode()


def _decode(text: bytes) -> bytes:
    return base64.b64decode(text, altchars=b"-_", validate=True)
